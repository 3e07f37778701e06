package sigv4

import (
	"encoding/base64"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

func TestNewTerm(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 500_000_000, time.FixedZone("", 3600))
	tests := map[string]struct {
		ttl, want time.Duration
	}{
		"never less than asked for": {time.Second, 2 * time.Second},
		"an hour":                   {time.Hour, time.Hour + time.Second},
		"at most the limit":         {MaxTerm, MaxTerm},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			term := NewTerm(now, tt.ttl, MaxTerm)
			require.Equal(t, now.UTC().Truncate(time.Second), term.From)
			require.Equal(t, term.From.Add(tt.want), term.Until())
			require.Equal(t, int64(tt.want/time.Second), term.Seconds)
		})
	}
}

func TestTermEndBy(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := map[string]struct {
		end, want time.Duration
	}{
		"later":                   {2 * time.Hour, time.Hour},
		"at the same moment":      {time.Hour, time.Hour},
		"within the last second":  {time.Hour - time.Millisecond, time.Hour - time.Second},
		"earlier":                 {time.Minute + time.Second/2, time.Minute},
		"before the start":        {-time.Minute, 0},
		"within the first second": {time.Second / 2, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			term := NewTerm(start, time.Hour, MaxTerm)
			term.EndBy(start.Add(tt.end))
			require.Equal(t, start.Add(tt.want), term.Until())
		})
	}
}

func TestHeaders(t *testing.T) {
	r := &driver.SignRequest{Controls: storage.Controls{PublicRead: true}}
	r.ContentType = "text/plain"
	r.StorageClass = "COLD"
	r.Metadata = map[string]string{"k": "v"}
	require.Equal(t, http.Header{
		"Content-Type":         {"text/plain"},
		"X-Goog-Storage-Class": {"COLD"},
		"X-Goog-Meta-K":        {"v"},
		"X-Goog-Acl":           {"public-read"},
	}, Headers(r, "X-Goog-"))
	require.Empty(t, Headers(&driver.SignRequest{}, "X-Amz-"))
}

func TestPolicyIsASCII(t *testing.T) {
	policy, err := Policy(map[string]string{"key": "é/\U0001f600&"})
	require.NoError(t, err)
	text, err := base64.StdEncoding.DecodeString(policy)
	require.NoError(t, err)
	require.Equal(t, `{"key":"\u00e9/\ud83d\ude00\u0026"}`, string(text))
	_, err = Policy(func() {})
	require.ErrorIs(t, err, storage.Internal)
}

func TestCheckFormRefusesWhatNoFormEnforces(t *testing.T) {
	sum := uint32(1)
	tests := map[string]struct {
		change func(r *driver.SignRequest)
		want   storage.Code
	}{
		"a condition": {func(r *driver.SignRequest) {
			r.Condition.Absent = true
		}, storage.Unsupported},
		"a checksum": {func(r *driver.SignRequest) {
			r.CRC32C = storage.CRC32C{Sum: sum, Known: true}
		}, storage.Unsupported},
		"a language": {func(r *driver.SignRequest) {
			r.ContentLanguage = "de"
		}, storage.Unsupported},
		"the name of the user's file": {func(r *driver.SignRequest) {
			r.Key = "a/${filename}"
		}, storage.InvalidArgument},
		"none of them": {func(r *driver.SignRequest) {
			r.ContentType = "text/plain"
		}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := &driver.SignRequest{Key: "a"}
			tt.change(r)
			require.Equal(t, tt.want, storage.CodeOf(CheckForm(r, "S3")))
		})
	}
}
