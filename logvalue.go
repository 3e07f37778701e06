package storage

import "log/slog"

// LogValue makes log/slog log e as a group: code, op, provider, bucket, key, status, request_id,
// retryable, and msg, which is [Error.Error]. Empty fields are left out. No value is a secret.
func (e *Error) LogValue() slog.Value {
	if e == nil {
		return slog.Value{}
	}
	attrs := []slog.Attr{slog.String("code", string(e.Code))}
	for _, text := range []struct{ name, value string }{
		{"op", e.Op}, {"provider", e.Provider}, {"bucket", e.Bucket}, {"key", e.Key}, {"request_id", e.RequestID},
	} {
		if text.value != "" {
			attrs = append(attrs, slog.String(text.name, text.value))
		}
	}
	if e.Status != 0 {
		attrs = append(attrs, slog.Int("status", e.Status))
	}
	if e.Retryable {
		attrs = append(attrs, slog.Bool("retryable", true))
	}
	return slog.GroupValue(append(attrs, slog.String("msg", e.Error()))...)
}

// LogValue makes log/slog log a as a group: key, size, content_type, revision, version and
// modified. Empty fields are left out. Metadata and tags, which are the user's, are not logged.
func (a *Attrs) LogValue() slog.Value {
	if a == nil {
		return slog.Value{}
	}
	attrs := []slog.Attr{slog.String("key", a.Key), slog.Int64("size", a.Size)}
	for _, text := range []struct{ name, value string }{
		{"content_type", a.ContentType}, {"revision", a.Revision}, {"version", a.Version},
	} {
		if text.value != "" {
			attrs = append(attrs, slog.String(text.name, text.value))
		}
	}
	if !a.Modified.IsZero() {
		attrs = append(attrs, slog.Time("modified", a.Modified))
	}
	return slog.GroupValue(attrs...)
}
