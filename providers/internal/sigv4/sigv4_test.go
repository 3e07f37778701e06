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

// A term begins with a whole second, and lasts at least as long as requested, up to the limit.
func TestNewTerm(t *testing.T) {
	halfSecondPast := time.Date(2026, 1, 2, 3, 4, 5, 500_000_000, time.FixedZone("", 3600))
	tests := []struct {
		name string
		ttl  time.Duration
		want time.Duration
	}{
		{name: "never less than requested", ttl: time.Second, want: 2 * time.Second},
		{name: "an hour", ttl: time.Hour, want: time.Hour + time.Second},
		{name: "at most the limit", ttl: MaxTerm, want: MaxTerm},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			term := NewTerm(halfSecondPast, tt.ttl, MaxTerm)
			require.Equal(t, halfSecondPast.UTC().Truncate(time.Second), term.From)
			require.Equal(t, term.From.Add(tt.want), term.Until())
			require.Equal(t, int64(tt.want/time.Second), term.Seconds)
		})
	}
}

// EndBy shortens a term that would end after a given time. The term then ends no later than that
// time, and lasts a whole number of seconds.
func TestTermEndBy(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		name string
		end  time.Duration // after the start
		want time.Duration // length of the term, which was an hour
	}{
		{name: "later", end: 2 * time.Hour, want: time.Hour},
		{name: "at the same moment", end: time.Hour, want: time.Hour},
		{name: "within the last second", end: time.Hour - time.Millisecond, want: time.Hour - time.Second},
		{name: "earlier", end: time.Minute + time.Second/2, want: time.Minute},
		{name: "before the start", end: -time.Minute, want: 0},
		{name: "within the first second", end: time.Second / 2, want: 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			term := NewTerm(start, time.Hour, MaxTerm)
			term.EndBy(start.Add(tt.end))
			require.Equal(t, start.Add(tt.want), term.Until())
		})
	}
}

// Headers returns the headers that a signed upload must send, with the prefix of the provider.
func TestHeaders(t *testing.T) {
	r := &driver.SignRequest{
		Properties: storage.Properties{
			ContentType:  "text/plain",
			StorageClass: "COLD",
			Metadata:     map[string]string{"k": "v"},
		},
		Controls: storage.Controls{PublicRead: true},
	}
	want := http.Header{
		"Content-Type":         {"text/plain"},
		"X-Goog-Storage-Class": {"COLD"},
		"X-Goog-Meta-K":        {"v"},
		"X-Goog-Acl":           {"public-read"},
	}
	require.Equal(t, want, Headers(r, "X-Goog-"))

	require.Empty(t, Headers(&driver.SignRequest{}, "X-Amz-"))
}

// Policy returns a JSON document in base64. All characters that are not ASCII are escaped, because S3 requires that.
func TestPolicyIsASCII(t *testing.T) {
	policy, err := Policy(map[string]string{"key": "é/\U0001f600&"})
	require.NoError(t, err)
	document, err := base64.StdEncoding.DecodeString(policy)
	require.NoError(t, err)
	require.Equal(t, `{"key":"\u00e9/\ud83d\ude00\u0026"}`, string(document))
}

// Policy fails with Internal for a value that JSON cannot express.
func TestPolicyNotJSON(t *testing.T) {
	_, err := Policy(func() {})
	require.ErrorIs(t, err, storage.Internal)
}

// CheckForm refuses options that the policy of a form cannot enforce.
func TestCheckFormRefusesWhatNoFormEnforces(t *testing.T) {
	tests := []struct {
		name    string
		request driver.SignRequest
		want    storage.Code
	}{
		{
			name:    "a condition",
			request: driver.SignRequest{Key: "a", Condition: storage.Condition{Absent: true}},
			want:    storage.Unsupported,
		},
		{
			name:    "a checksum",
			request: driver.SignRequest{Key: "a", CRC32C: storage.CRC32C{Sum: 1, Known: true}},
			want:    storage.Unsupported,
		},
		{
			name:    "a language",
			request: driver.SignRequest{Key: "a", Properties: storage.Properties{ContentLanguage: "de"}},
			want:    storage.Unsupported,
		},
		{
			name:    "the name of the user's file",
			request: driver.SignRequest{Key: "a/${filename}"},
			want:    storage.InvalidArgument,
		},
		{
			name:    "none of them",
			request: driver.SignRequest{Key: "a", Properties: storage.Properties{ContentType: "text/plain"}},
			want:    "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := CheckForm(&tt.request, "S3")
			require.Equal(t, tt.want, storage.CodeOf(err))
		})
	}
}
