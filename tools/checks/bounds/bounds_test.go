package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheRepository(t *testing.T) {
	passed, err := check("../../..")
	require.NoError(t, err)
	require.Empty(t, passed)
}

func TestBounds(t *testing.T) {
	long := "// " + strings.Repeat("x", maxColumns) + "\n"
	for name, row := range map[string]struct {
		files map[string]string
		want  string // part of the only message; "" if no bound is passed
	}{
		"two long lines":            {map[string]string{"a/a.go": "package a\n" + long + long}, "a: 2 of 3 lines"},
		"one long line":             {map[string]string{"a/a.go": "package a\n" + long}, ""},
		"long lines of a test":      {map[string]string{"a/a_test.go": "package a\n" + long + long}, ""},
		"long lines in testdata":    {map[string]string{"testdata/a.go": "package a\n" + long + long}, ""},
		"few of many":               {map[string]string{"a/a.go": long + long + strings.Repeat("\n", 2*perLong)}, ""},
		"rows of a table":           {map[string]string{"a/a.go": row(`{"`) + row(`"a": {`)}, ""},
		"texts":                     {map[string]string{"a/a.go": strings.Repeat("const hint = \""+strings.Repeat("x", maxColumns)+"\"\n", 2)}, ""},
		"a call is no row":          {map[string]string{"a/a.go": row("call(") + row("call(")}, "a: 2 of 2 lines"},
		"an address":                {map[string]string{"a/a.go": "// https://a" + long + "// https://a" + long}, ""},
		"many names":                {map[string]string{"api.txt": names("example.com/a", maxNames+1)}, "example.com/a: 91 exported names"},
		"methods and fields":        {map[string]string{"api.txt": strings.Repeat("a: func (t *T) M()\na: type T, F int\n", maxNames+1)}, ""},
		"the root may have more":    {map[string]string{"api.txt": names(root, rootNames)}, ""},
		"the root has a bound, too": {map[string]string{"api.txt": names(root, rootNames+1)}, root + ": 301 exported names"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "api.txt", "")
			for path, text := range row.files {
				write(t, dir, path, text)
			}
			t.Chdir(dir)
			passed, err := check(".")
			require.NoError(t, err)
			if row.want == "" {
				require.Empty(t, passed)
				return
			}
			require.Len(t, passed, 1)
			require.Contains(t, passed[0], row.want)
		})
	}
}

func row(begin string) string { return begin + strings.Repeat("x", maxColumns) + "},\n" }

func names(path string, count int) string { return strings.Repeat(path+": func F()\n", count) }

func write(t *testing.T, dir, path, text string) {
	t.Helper()
	path = filepath.Join(dir, filepath.FromSlash(path))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}
