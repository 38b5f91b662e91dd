//! The rounds of SHA-256 (FIPS 180-4, section 6.2.2) over several blocks at once, written for the instructions that do two
//! rounds each. `sha256rnds2` gives its result after four cycles and the next one waits for it; with one content the
//! processor idles in between, with several it works on the others.

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_setzero_si128,
    _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi32,
};

/// The constants of the rounds, four by four (FIPS 180-4, section 4.2.2).
const K: [[u32; 4]; 16] = [
    [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5],
    [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
    [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3],
    [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
    [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc],
    [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
    [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7],
    [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
    [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13],
    [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
    [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3],
    [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
    [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5],
    [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
    [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208],
    [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
];

/// One content in registers. The instructions want the state as `a b e f` and `c d g h`.
#[derive(Clone, Copy)]
struct Lane {
    abef: __m128i,
    cdgh: __m128i,
    /// The sixteen words of the schedule that the next rounds need, as a ring.
    w: [__m128i; 4],
    /// Words with their constants added.
    wk: __m128i,
}

/// Four words, the first lowest.
#[inline]
#[target_feature(enable = "sha,sse4.1,avx2")]
fn words([a, b, c, d]: [u32; 4]) -> __m128i {
    _mm_set_epi32(d.cast_signed(), c.cast_signed(), b.cast_signed(), a.cast_signed())
}

/// The four words of 16 bytes of a block.
#[inline]
#[target_feature(enable = "sha,sse4.1,avx2")]
fn load(bytes: &[u8; 16]) -> __m128i {
    let &[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = bytes;
    words([[a, b, c, d], [e, f, g, h], [i, j, k, l], [m, n, o, p]].map(u32::from_be_bytes))
}

/// Takes as many blocks from the front of each content into its state as the shortest has.
#[target_feature(enable = "sha,sse4.1,avx2")]
pub(crate) fn compress<const N: usize>(states: &mut [[u32; 8]; N], blocks: [&[[u8; 64]]; N]) {
    let zero = _mm_setzero_si128();
    let mut lanes = [Lane { abef: zero, cdgh: zero, w: [zero; 4], wk: zero }; N];
    for (lane, &[a, b, c, d, e, f, g, h]) in lanes.iter_mut().zip(states.iter()) {
        lane.abef = words([f, e, b, a]);
        lane.cdgh = words([h, g, d, c]);
    }
    let count = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or(0);
    for at in 0..count {
        let before = lanes;
        for (lane, blocks) in lanes.iter_mut().zip(&blocks) {
            let (quarters, _) = blocks[at].as_chunks::<16>();
            for (w, quarter) in lane.w.iter_mut().zip(quarters) {
                *w = load(quarter);
            }
        }
        // Rounds 4 r to 4 r + 3, and meanwhile what the schedule can prepare for later ones: step after step over all
        // lanes, so that no instruction waits for the one right before it. Unrolled: `r` decides what is done.
        macro_rules! four_rounds {
            ($($r:literal)*) => {$(
                for lane in &mut lanes {
                    lane.wk = _mm_add_epi32(lane.w[$r % 4], words(K[$r]));
                    lane.cdgh = _mm_sha256rnds2_epu32(lane.cdgh, lane.abef, lane.wk);
                }
                if $r >= 3 && $r < 15 {
                    for lane in &mut lanes {
                        let [last, now, next] = [lane.w[($r + 3) % 4], lane.w[$r % 4], lane.w[($r + 1) % 4]];
                        let sum = _mm_add_epi32(next, _mm_alignr_epi8::<4>(now, last));
                        lane.w[($r + 1) % 4] = _mm_sha256msg2_epu32(sum, now);
                    }
                }
                for lane in &mut lanes {
                    let wk = _mm_shuffle_epi32::<0x0e>(lane.wk);
                    lane.abef = _mm_sha256rnds2_epu32(lane.abef, lane.cdgh, wk);
                }
                if $r >= 1 && $r < 13 {
                    for lane in &mut lanes {
                        let [last, now] = [lane.w[($r + 3) % 4], lane.w[$r % 4]];
                        lane.w[($r + 3) % 4] = _mm_sha256msg1_epu32(last, now);
                    }
                }
            )*};
        }
        four_rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        for (lane, before) in lanes.iter_mut().zip(&before) {
            lane.abef = _mm_add_epi32(lane.abef, before.abef);
            lane.cdgh = _mm_add_epi32(lane.cdgh, before.cdgh);
        }
    }
    for (Lane { abef, cdgh, .. }, state) in lanes.into_iter().zip(states) {
        *state = [
            _mm_extract_epi32::<3>(abef),
            _mm_extract_epi32::<2>(abef),
            _mm_extract_epi32::<3>(cdgh),
            _mm_extract_epi32::<2>(cdgh),
            _mm_extract_epi32::<1>(abef),
            _mm_extract_epi32::<0>(abef),
            _mm_extract_epi32::<1>(cdgh),
            _mm_extract_epi32::<0>(cdgh),
        ]
        .map(i32::cast_unsigned);
    }
}
