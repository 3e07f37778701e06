package uploads

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// CleanName returns the last element of a path, without characters that are invisible or change the direction of text.
func TestCleanNameMakesNamesSafeToShow(t *testing.T) {
	tests := []struct{ name, given, want string }{
		{"an ordinary one", "My photo (1).JPG", "My photo (1).JPG"},
		{"letters of anywhere", "Überfahrt – 写真 🙂.png", "Überfahrt – 写真 🙂.png"},
		{"a path", "../../etc/passwd", "passwd"},
		{"a path of Windows", `C:\fakepath\me.png`, "me.png"},
		{"a direction that turns", "invoice\u202Egpj.exe", "invoicegpj.exe"},
		{"isolates and marks", "a\u2066b\u2069\u200F\u061C.png", "ab.png"},
		{"invisible characters", "a\u200B\u00AD\uFEFF\U000E0041.png", "a.png"},
		{"control characters", "a\x00\x1b[31m\r\nb.png", "a[31m b.png"},
		{"spaces of all kinds", "  a \t\u00A0\u2003b .png ", "a b .png"},
		{"letters that show nothing", "\u3164a.png\u3164\u2800\uFFA0.exe\u115F\u1160", "a.png .exe"},
		{"nothing that shows", "\u2800\u3164", "file"},
		{"line separators", "a\u2028b.png", "a b.png"},
		{"invalid UTF-8", "a\xff\xfeb.png", "ab.png"},
		{"marks that climb", "e" + strings.Repeat("\u0301", 50) + ".png", "e" + strings.Repeat("\u0301", 4) + ".png"},
		{"points", "...", "file"},
		{"a hidden file", ".htaccess", "htaccess"},
		{"nothing", "", "file"},
		{"a folder", "photos/", "file"},
		{"a long one", strings.Repeat("é", 300) + ".jpeg", strings.Repeat("é", 125) + ".jpeg"},
		{"a long one of one word", strings.Repeat("a", 300), strings.Repeat("a", 255)},
		{"markup, which is text", "<b>.png", "<b>.png"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, CleanName(tt.given))
		})
	}
}

func FuzzCleanName(f *testing.F) {
	for _, name := range []string{"a.png", `\..`, "\u202Ea", strings.Repeat("é.", 200), "a. ", " .\u200B. "} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, value string) {
		name := CleanName(value)
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
