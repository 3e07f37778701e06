package uploads

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// CleanName returns the last element of a path without characters that are invisible or change the direction of text.
func TestCleanNameMakesNamesSafeToShow(t *testing.T) {
	tests := []struct {
		name  string
		given string
		want  string
	}{
		{name: "an ordinary one", given: "My photo (1).JPG", want: "My photo (1).JPG"},
		{name: "letters of anywhere", given: "Überfahrt – 写真 🙂.png", want: "Überfahrt – 写真 🙂.png"},
		{name: "a path", given: "../../etc/passwd", want: "passwd"},
		{name: "a path of Windows", given: `C:\fakepath\me.png`, want: "me.png"},
		{name: "a direction that turns", given: "invoice\u202Egpj.exe", want: "invoicegpj.exe"},
		{name: "isolates and marks", given: "a\u2066b\u2069\u200F\u061C.png", want: "ab.png"},
		{name: "invisible characters", given: "a\u200B\u00AD\uFEFF\U000E0041.png", want: "a.png"},
		{name: "control characters", given: "a\x00\x1b[31m\r\nb.png", want: "a[31m b.png"},
		{name: "spaces of all kinds", given: "  a \t\u00A0\u2003b .png ", want: "a b .png"},
		{name: "letters that show nothing", given: "\u3164a.png\u3164\u2800\uFFA0.exe\u115F\u1160", want: "a.png .exe"},
		{name: "nothing that shows", given: "\u2800\u3164", want: "file"},
		{name: "line separators", given: "a\u2028b.png", want: "a b.png"},
		{name: "invalid UTF-8", given: "a\xff\xfeb.png", want: "ab.png"},
		{
			name:  "marks that climb",
			given: "e" + strings.Repeat("\u0301", 50) + ".png",
			want:  "e" + strings.Repeat("\u0301", 4) + ".png",
		},
		{name: "points", given: "...", want: "file"},
		{name: "a hidden file", given: ".htaccess", want: "htaccess"},
		{name: "nothing", given: "", want: "file"},
		{name: "a folder", given: "photos/", want: "file"},
		{name: "a long one", given: strings.Repeat("é", 300) + ".jpeg", want: strings.Repeat("é", 125) + ".jpeg"},
		{name: "a long one of one word", given: strings.Repeat("a", 300), want: strings.Repeat("a", 255)},
		{name: "markup, which is text", given: "<b>.png", want: "<b>.png"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, CleanName(tt.given))
		})
	}
}

// CleanName returns a name of at most 255 bytes of printable characters without separators, and does not
// change a name that it has returned.
func FuzzCleanName(f *testing.F) {
	for _, name := range []string{"a.png", `\..`, "\u202Ea", strings.Repeat("é.", 200), "a. ", " .\u200B. "} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, given string) {
		name := CleanName(given)
		require.NotEmpty(t, name)
		require.LessOrEqual(t, len(name), 255)
		require.True(t, utf8.ValidString(name))
		require.NotContains(t, name, "/")
		require.NotContains(t, name, `\`)
		require.NotContains(t, name, "  ")
		require.Equal(t, strings.Trim(name, " ."), name)

		for _, r := range name {
			require.True(t, unicode.IsPrint(r), "%U", r)
		}
		require.Equal(t, name, CleanName(name), "clean already")
	})
}
