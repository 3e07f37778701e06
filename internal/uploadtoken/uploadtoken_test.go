package uploadtoken

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Parse returns the Record from which a token was made, and a token has only characters that need
// no escape in a URL.
func TestTokenHasItsRecord(t *testing.T) {
	size := int64(0)
	crc := uint32(7)
	tests := []struct {
		name   string
		record Record
	}{
		{name: "an empty record", record: Record{}},
		{
			name: "all fields",
			record: Record{
				Bucket:   "b",
				Key:      "é",
				Upload:   "u",
				Metadata: map[string]string{"k": "v"},
				Until:    1,
				Hold:     true,
				Size:     &size,
				CRC32C:   &crc,
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			token := tt.record.Token()
			require.Regexp(t, `^[A-Za-z0-9_-]*$`, token)
			got, ok := Parse(token)
			require.True(t, ok)
			require.Equal(t, tt.record, got)
		})
	}
}

// Without a size, DeclaredSize is -1.
func TestDeclaredSize(t *testing.T) {
	size := int64(0)
	require.EqualValues(t, -1, (&Record{}).DeclaredSize())
	require.EqualValues(t, 0, (&Record{Size: &size}).DeclaredSize())
}

// The format of tokens does not change, because other processes may run another release.
func TestTokenFormStays(t *testing.T) {
	const token = "AeTw4_uOPqTjeyJiIjoiYiIsImsiOiJrIiwidSI6InUifQ"
	require.Equal(t, token, (&Record{Bucket: "b", Key: "k", Upload: "u"}).Token())
	require.Equal(t, "ji9hu53i18Dk", Hash("s3", "", "bucket"))
}

// Parse refuses a token that was changed in any way, because its checksum no longer matches, and one of a
// later version.
func TestParseRefusesAChangedToken(t *testing.T) {
	token := (&Record{Key: "k"}).Token()
	tests := []struct {
		name  string
		token string
	}{
		{name: "empty", token: ""},
		{name: "cut", token: token[:len(token)-1]},
		{name: "longer", token: token + "A"},
		{name: "changed", token: strings.Replace(token, token[20:21], "_", 1)},
		{name: "a space", token: token + " "},
		{name: "too long", token: strings.Repeat("A", maxLength+1)},
		{name: "of a later version", token: "Ag" + token[2:]}, // "Ag" is base64 of the byte 2
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, ok := Parse(tt.token)
			require.False(t, ok)
		})
	}
}
