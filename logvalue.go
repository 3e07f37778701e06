package storage

import (
	"log/slog"

	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/internal/redact"
)

// LogValue implements [slog.LogValuer]. It returns a group with code, op, provider, bucket, key,
// version, status, request_id, retryable, retry_after, unknown, hint and cause, if set. Signatures
// in the cause are masked.
func (e *Error) LogValue() slog.Value {
	if e == nil {
		return slog.Value{}
	}

	// The function appendText leaves out an empty value.
	attrs := []slog.Attr{slog.String("code", string(e.Code))}
	attrs = appendText(attrs, "op", e.Op)
	attrs = appendText(attrs, "provider", e.Provider)
	attrs = appendText(attrs, "bucket", e.Bucket)
	attrs = appendText(attrs, "key", cutKey(e.Key))
	attrs = appendText(attrs, "version", e.Version)
	if e.Status != 0 {
		attrs = append(attrs, slog.Int("status", e.Status))
	}
	attrs = appendText(attrs, "request_id", e.RequestID)
	if e.Retryable {
		attrs = append(attrs, slog.Bool("retryable", true))
	}
	if e.RetryAfter > 0 {
		attrs = append(attrs, slog.Duration("retry_after", e.RetryAfter))
	}
	if e.Unknown {
		attrs = append(attrs, slog.Bool("unknown", true))
	}
	attrs = appendText(attrs, "hint", e.Hint)
	if e.Err != nil {
		attrs = appendText(attrs, "cause", redact.Secrets(e.Err.Error()))
	}
	return slog.GroupValue(attrs...)
}

// LogValue returns a group for log/slog with key, size, content_type, revision, version, modified
// and crc32c, if known. It leaves out metadata, which may be personal.
func (a *Attrs) LogValue() slog.Value {
	if a == nil {
		return slog.Value{}
	}
	attrs := []slog.Attr{slog.String("key", cutKey(a.Key)), slog.Int64("size", a.Size)}
	attrs = appendText(attrs, "content_type", a.ContentType)
	attrs = appendText(attrs, "revision", a.Revision)
	attrs = appendText(attrs, "version", a.Version)
	if !a.Modified.IsZero() {
		attrs = append(attrs, slog.Time("modified", a.Modified))
	}
	if a.CRC32C.Known {
		attrs = append(attrs, slog.String("crc32c", a.CRC32C.String()))
	}
	return slog.GroupValue(attrs...)
}

// appendText appends a string attribute, unless its value is "".
func appendText(attrs []slog.Attr, name, value string) []slog.Attr {
	if value == "" {
		return attrs
	}
	return append(attrs, slog.String(name, value))
}

// cutKey shortens key to the length of the longest valid key, because a caller may have passed a longer one.
func cutKey(key string) string { return key[:min(len(key), objectkey.MaxBytes)] }
