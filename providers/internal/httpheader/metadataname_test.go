package httpheader_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/providers/internal/httpheader"
)

// Unescape returns the original of a metadata name that Escape has escaped. Escape avoids a
// character that a server loses: Ceph RGW 16 returns "-" for "_", and Azure has no "-".
func TestEscapeRoundTrip(t *testing.T) {
	tests := []struct {
		name    string
		mark    byte   // begins an escape
		lost    byte   // is escaped
		pattern string // of escaped names
	}{
		{name: "without underscores", mark: '-', lost: '_', pattern: `^[a-zA-Z0-9-]+$`},
		{name: "without dashes", mark: '_', lost: '-', pattern: `^[a-zA-Z0-9_]+$`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			names := httpheader.NewNameEscaper(tt.mark, tt.lost)
			originals := map[string]string{}
			for _, name := range []string{
				"a", "a1", "a-b", "a_b", "a--b", "a__b", "a-", "a_", "a_-", "a-_",
				"a_x", "a-x", "a_xray", "a-xray", "a_x00", "a-x00", "a_x-x_", "x_x_x", "x-x-x",
				"a_x002d_b", "a-x005f-b", "a_x002d-", "a-x005f_", "a_x005f_", "a-x002d-",
				"a__x002d__", "a--x005f--", "a-x005f-x002d-",
			} {
				escaped := names.Escape(name)
				require.Regexp(t, regexp.MustCompile(tt.pattern), escaped, name)
				require.Equal(t, name, names.Unescape(escaped))
				require.NotContains(t, originals, escaped, "two names have one escaped form")
				originals[escaped] = name
			}
		})
	}
}

// Escape changes only names with the character that the server loses, and Unescape leaves a name
// that was not escaped.
func TestEscapeLeavesOtherNames(t *testing.T) {
	names := httpheader.NewNameEscaper('-', '_')
	require.Equal(t, "owner-x005F-id", names.Escape("owner_id"))
	require.Equal(t, "owner-id", names.Escape("owner-id"))
	require.Equal(t, "old_name", names.Unescape("old_name"))
}
