package escape_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/escape"
)

// Ceph RGW 16 returns "-" for "_"; Azure's names have no "-".
func TestNamesComeBack(t *testing.T) {
	for _, row := range []struct {
		name       string
		mark, lost byte
		holds      string
	}{
		{name: "without underscores", mark: '-', lost: '_', holds: `^[a-zA-Z0-9-]+$`},
		{name: "without dashes", mark: '_', lost: '-', holds: `^[a-zA-Z0-9_]+$`},
	} {
		t.Run(row.name, func(t *testing.T) {
			names, seen := escape.NewNames(row.mark, row.lost), map[string]string{}
			for _, name := range []string{
				"a", "a1", "a-b", "a_b", "a--b", "a__b", "a-", "a_", "a_-", "a-_", "a_x", "a-x", "a_xray", "a-xray", "a_x002d_b", "a-x005f-b", "a_x002d-",
				"a-x005f_", "a_x005f_", "a-x002d-", "a_x00", "a-x00", "a_x-x_", "x_x_x", "x-x-x", "a__x002d__", "a--x005f--", "a-x005f-x002d-",
			} {
				stored := names.Stored(name)
				require.Regexp(t, regexp.MustCompile(row.holds), stored, name)
				require.Equal(t, name, names.Plain(stored))
				require.NotContains(t, seen, stored, "two names fall together")
				seen[stored] = name
			}
		})
	}
	require.Equal(t, "owner-x005F-id", escape.NewNames('-', '_').Stored("owner_id"))
	require.Equal(t, "owner-id", escape.NewNames('-', '_').Stored("owner-id"))
	require.Equal(t, "old_name", escape.NewNames('-', '_').Plain("old_name"), "what was stored unescaped is read as it is")
}
