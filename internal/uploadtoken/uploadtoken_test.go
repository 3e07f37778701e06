package uploadtoken

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Parse returns the Record from which the token was made.
func TestTokenHasItsRecord(t *testing.T) {
	size := int64(0)
	crc := uint32(7)

	for _, r := range []Record{
		{},
		{
			Bucket:   "b",
			Key:      "é",
			Upload:   "u",
			Metadata: map[string]string{"k": "v"},
			Until:    1,
			Hold:     true,
			Size:     &size,
			CRC32C:   &crc,
		},
	} {
		token := r.Token()
		require.Empty(t,
			strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))
		got, ok := Parse(token)
		require.True(t, ok)
		require.Equal(t, r, got)
	}
	require.EqualValues(t, -1, (&Record{}).DeclaredSize())
	require.EqualValues(t, 0, (&Record{Size: &size}).DeclaredSize())
}

// The format of tokens does not change, because other processes may run another release.
func TestTokenFormStays(t *testing.T) {
	const token = "AeTw4_uOPqTjeyJiIjoiYiIsImsiOiJrIiwidSI6InUifQ"
	require.Equal(t, token, (&Record{Bucket: "b", Key: "k", Upload: "u"}).Token())
	require.Equal(t, "ji9hu53i18Dk", Hash("s3", "", "bucket"))
}

// If a token was cut, changed or made longer, Parse refuses it.
func TestParseRefusesAChangedToken(t *testing.T) {
	token := (&Record{Key: "k"}).Token()
	for name, badToken := range map[string]string{
		"empty":    "",
		"cut":      token[:len(token)-1],
		"longer":   token + "A",
		"changed":  strings.Replace(token, token[20:21], "_", 1),
		"a space":  token + " ",
		"too long": strings.Repeat("A", maxLength+1),
		"a newer":  "Ag" + token[2:],
	} {
		_, ok := Parse(badToken)
		require.False(t, ok, name)
	}
}
