package storage_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// logJSON returns the JSON that slog writes for a value.
func logJSON(t *testing.T, value any) string {
	t.Helper()
	var buf bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&buf,
		&slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key != "value" {
				return slog.Attr{} // time, level and message
			}
			return a
		}}))
	logger.Info("", "value", value)
	return strings.TrimSpace(buf.String())
}

// A log shows the fields of an Error that are set, without the query of a URL, and a long key is shortened.
func TestErrorLogValue(t *testing.T) {
	tests := map[string]struct {
		err  *storage.Error
		want string
	}{
		"the whole error": {
			err: &storage.Error{
				Code:       storage.RateLimited,
				Op:         "Upload",
				Provider:   "s3",
				Bucket:     "photos",
				Key:        "a",
				Status:     503,
				RequestID:  "R1",
				Retryable:  true,
				RetryAfter: time.Second,
				Unknown:    true,
				Hint:       "slow down",
				Err:        errors.New("busy"),
			},
			want: `{"value":{"code":"rate limited","op":"Upload","provider":"s3","bucket":"photos","key":"a","status":503,"request_id":"R1","retryable":true,"retry_after":1000000000,"unknown":true,"hint":"slow down","cause":"busy"}}`,
		},
		"only a code": {err: &storage.Error{Code: storage.Internal}, want: `{"value":{"code":"internal"}}`},
		"a signed URL": {
			err:  &storage.Error{Code: storage.Internal, Err: errors.New("GET https://h/k?sig=SECRET")},
			want: `{"value":{"code":"internal","cause":"GET https://h/k?REDACTED"}}`,
		},
		"no error": {err: nil, want: `{"value":null}`},
		"a very long key": {
			err:  &storage.Error{Code: storage.InvalidArgument, Key: strings.Repeat("k", 2000)},
			want: `{"value":{"code":"invalid argument","key":"` + strings.Repeat("k", 1024) + `"}}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.want, logJSON(t, tt.err))
		})
	}
}

// A log shows the attributes that are set, but no metadata.
func TestAttrsLogValue(t *testing.T) {
	attrs := &storage.Attrs{
		Key:        "a",
		Size:       5,
		Revision:   "s3:1",
		Version:    "v1",
		Modified:   time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		CRC32C:     storage.CRC32C{Sum: 1, Known: true},
		Properties: storage.Properties{ContentType: "text/plain", Metadata: map[string]string{"name": "Ada"}},
	}
	want := `{"value":{"key":"a","size":5,"content_type":"text/plain","revision":"s3:1","version":"v1",` +
		`"modified":"2026-01-02T03:04:05Z","crc32c":"00000001"}}`
	require.Equal(t, want, logJSON(t, attrs))
	require.Equal(t, `{"value":{"key":"b","size":0}}`, logJSON(t, &storage.Attrs{Key: "b"}))
	require.Equal(t, `{"value":null}`, logJSON(t, (*storage.Attrs)(nil)))
}
