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

// A term begins with a whole second, and lasts at least as long as asked for, up to the limit.
func TestNewTerm(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 500_000_000, time.FixedZone("", 3600))
	tests := map[string]struct {
		ttl, want time.Duration
	}{
		"never less than asked for": {ttl: time.Second, want: 2 * time.Second},
		"an hour":                   {ttl: time.Hour, want: time.Hour + time.Second},
		"at most the limit":         {ttl: MaxTerm, want: MaxTerm},
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

// EndBy ends a term of an hour before a time, in whole seconds.
func TestTermEndBy(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := map[string]struct {
		end, want time.Duration // after the start
	}{
		"later":                   {end: 2 * time.Hour, want: time.Hour},
		"at the same moment":      {end: time.Hour, want: time.Hour},
		"within the last second":  {end: time.Hour - time.Millisecond, want: time.Hour - time.Second},
		"earlier":                 {end: time.Minute + time.Second/2, want: time.Minute},
		"before the start":        {end: -time.Minute, want: 0},
		"within the first second": {end: time.Second / 2, want: 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			term := NewTerm(start, time.Hour, MaxTerm)
			term.EndBy(start.Add(tt.end))
			require.Equal(t, start.Add(tt.want), term.Until())
		})
	}
}

// Headers returns the headers of a signed upload, with the prefix of the provider.
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

// Policy returns a document in base64 that has only ASCII, because S3 wants escapes for other
// characters.
func TestPolicyIsASCII(t *testing.T) {
	policy, err := Policy(map[string]string{"key": "é/\U0001f600&"})
	require.NoError(t, err)
	text, err := base64.StdEncoding.DecodeString(policy)
	require.NoError(t, err)
	require.Equal(t, `{"key":"\u00e9/\ud83d\ude00\u0026"}`, string(text))
	_, err = Policy(func() {})
	require.ErrorIs(t, err, storage.Internal)
}

// CheckForm refuses options that the policy of a form cannot enforce.
func TestCheckFormRefusesWhatNoFormEnforces(t *testing.T) {
	tests := map[string]struct {
		request driver.SignRequest
		want    storage.Code
	}{
		"a condition": {
			request: driver.SignRequest{Key: "a", Condition: storage.Condition{Absent: true}},
			want:    storage.Unsupported,
		},
		"a checksum": {
			request: driver.SignRequest{Key: "a", CRC32C: storage.CRC32C{Sum: 1, Known: true}},
			want:    storage.Unsupported,
		},
		"a language": {
			request: driver.SignRequest{
				Key:        "a",
				Properties: storage.Properties{ContentLanguage: "de"},
			},
			want: storage.Unsupported,
		},
		"the name of the user's file": {
			request: driver.SignRequest{Key: "a/${filename}"},
			want:    storage.InvalidArgument,
		},
		"none of them": {
			request: driver.SignRequest{
				Key:        "a",
				Properties: storage.Properties{ContentType: "text/plain"},
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.want, storage.CodeOf(CheckForm(&tt.request, "S3")))
		})
	}
}
