//! The names of the dialect's protocol objects, the frequent ones first.

use crate::vocabulary::vocabulary;

vocabulary!(Request {
    Model = "model", Messages = "messages", Stream = "stream", StreamOptions = "stream_options", Tools = "tools",
    ToolChoice = "tool_choice", Temperature = "temperature", MaxTokens = "max_tokens",
    MaxCompletionTokens = "max_completion_tokens", N = "n", TopP = "top_p", Stop = "stop",
    ResponseFormat = "response_format", User = "user", Metadata = "metadata", Functions = "functions",
    FunctionCall = "function_call", PresencePenalty = "presence_penalty", FrequencyPenalty = "frequency_penalty",
    Seed = "seed", LogitBias = "logit_bias", Logprobs = "logprobs", TopLogprobs = "top_logprobs",
    ParallelToolCalls = "parallel_tool_calls", Prediction = "prediction", Modalities = "modalities", Audio = "audio",
    ReasoningEffort = "reasoning_effort", ServiceTier = "service_tier", Store = "store", Verbosity = "verbosity",
    WebSearchOptions = "web_search_options", PromptCacheKey = "prompt_cache_key",
    PromptCacheRetention = "prompt_cache_retention", SafetyIdentifier = "safety_identifier",
});

vocabulary!(StreamOptions {
    IncludeUsage = "include_usage", IncludeObfuscation = "include_obfuscation",
});

vocabulary!(Message {
    Role = "role", Content = "content", ToolCalls = "tool_calls", ToolCallId = "tool_call_id", Name = "name",
    Refusal = "refusal", ReasoningContent = "reasoning_content", Reasoning = "reasoning",
    ReasoningDetails = "reasoning_details", FunctionCall = "function_call", Audio = "audio",
    Annotations = "annotations", Images = "images", Citations = "citations", Channel = "channel",
});

vocabulary!(Part {
    Type = "type", Text = "text", ImageUrl = "image_url", InputAudio = "input_audio", File = "file",
    Refusal = "refusal", Thinking = "thinking",
});

vocabulary!(ImageUrl { Url = "url", Detail = "detail" });

vocabulary!(InputAudio { Data = "data", Format = "format" });

vocabulary!(File { Data = "file_data", Id = "file_id", Name = "filename" });

vocabulary!(Audio { Id = "id", Data = "data", Transcript = "transcript", ExpiresAt = "expires_at" });

vocabulary!(ToolCall {
    Index = "index", Id = "id", Type = "type", Function = "function", Custom = "custom",
});

vocabulary!(Call { Name = "name", Arguments = "arguments", Input = "input" });

vocabulary!(ReasoningDetail {
    Index = "index", Type = "type", Text = "text", Summary = "summary", Format = "format",
});

vocabulary!(Tool { Type = "type", Function = "function", Custom = "custom" });

vocabulary!(Definition {
    Name = "name", Description = "description", Parameters = "parameters", Strict = "strict", Format = "format",
});

vocabulary!(Choose { Type = "type", Function = "function", Custom = "custom", AllowedTools = "allowed_tools" });

vocabulary!(Named { Name = "name" });

vocabulary!(ResponseFormat { Type = "type", JsonSchema = "json_schema" });

vocabulary!(JsonSchema { Name = "name", Description = "description", Schema = "schema", Strict = "strict" });

vocabulary!(Prediction { Type = "type", Content = "content" });

vocabulary!(Response {
    Id = "id", Object = "object", Created = "created", Model = "model", Choices = "choices", Usage = "usage",
    SystemFingerprint = "system_fingerprint", ServiceTier = "service_tier", Citations = "citations",
});

vocabulary!(Choice {
    Index = "index", Delta = "delta", FinishReason = "finish_reason", Message = "message", Logprobs = "logprobs",
});

vocabulary!(Usage {
    PromptTokens = "prompt_tokens", CompletionTokens = "completion_tokens", TotalTokens = "total_tokens",
    PromptDetails = "prompt_tokens_details", CompletionDetails = "completion_tokens_details",
});

vocabulary!(TokenDetails {
    Cached = "cached_tokens", Audio = "audio_tokens", Text = "text_tokens", Image = "image_tokens",
    Reasoning = "reasoning_tokens", Accepted = "accepted_prediction_tokens", Rejected = "rejected_prediction_tokens",
});

vocabulary!(Logprobs { Content = "content", Refusal = "refusal" });

vocabulary!(TokenLogprob {
    Token = "token", Logprob = "logprob", Bytes = "bytes", TopLogprobs = "top_logprobs",
});
