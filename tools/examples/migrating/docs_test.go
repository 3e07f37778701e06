package migrating

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const docs = "../../../docs/migrating"

var (
	code  = regexp.MustCompile("(?s)```go\n(.*?)```")
	patch = regexp.MustCompile("(?s)<!-- ([a-z/.]+) -> ([a-z/.]+) -->\n```diff\n(.*?)```")
	// program is a diff that begins with imports, and has nothing left out.
	program = regexp.MustCompile("(?s)```diff\n( import \\(\n.*?)```")
	span    = regexp.MustCompile("`([^`]+)`")
	space   = regexp.MustCompile(`\s+`)
)

// pages are the pages of docs/migrating with the package here that has their calls.
var pages = map[string]string{
	"minio-go": "minio", "aws-sdk": "aws", "google-cloud-storage": "gcs", "azure-sdk": "azure",
	"gocloud": "gocloud", "objstore": "objstore", "afero": "afero", "tusd": "tusd",
}

// Each call in a table and each block of Go on the pages is in the calls.go of the page's package, and so
// compiles.
func TestPagesCallsCompile(t *testing.T) {
	for page, dir := range pages {
		t.Run(page, func(t *testing.T) {
			text := read(t, filepath.Join(docs, page+".md"))
			calls := flat(read(t, filepath.Join(dir, "calls.go")))

			for _, match := range code.FindAllStringSubmatch(text, -1) {
				block := match[1]
				require.Contains(t, calls, flat(block))
			}

			// Not each page has a table.
			_, table, ok := strings.Cut(text, "## Call by call\n")
			if !ok {
				return
			}
			table, _, _ = strings.Cut(table, "\n## ")
			rows := strings.Split(table, "\n")
			for _, row := range rows[3:] { // after an empty line and the heading of the table
				for _, match := range span.FindAllStringSubmatch(row, -1) {
					call := strings.ReplaceAll(match[1], `\|`, "|") // in a table, "|" is escaped
					require.Contains(t, calls, flat(call), "%s is not in %s/calls.go", call, dir)
				}
			}
		})
	}
}

// A diff on a page names two programs. Without the added lines, it is a part of the old program. Without the removed
// lines, it is a part of the new one.
func TestPagesDiffsAreThePrograms(t *testing.T) {
	for page := range pages {
		for _, match := range patch.FindAllStringSubmatch(read(t, filepath.Join(docs, page+".md")), -1) {
			oldFile := match[1]
			newFile := match[2]
			diff := match[3]

			// Make both parts, without the signs at the beginning of the lines.
			var before, after strings.Builder
			for line := range strings.Lines(diff) {
				if !strings.HasPrefix(line, "+") {
					before.WriteString(strings.TrimPrefix(strings.TrimPrefix(line, "-"), " "))
				}
				if !strings.HasPrefix(line, "-") {
					after.WriteString(strings.TrimPrefix(strings.TrimPrefix(line, "+"), " "))
				}
			}

			require.Contains(t, read(t, oldFile), before.String(), page)
			require.Contains(t, read(t, newFile), after.String(), page)
		}
	}
}

// If a diff on a page shows the imports of a program, they include each package that the program names, before and
// after the change. Otherwise, a reader who copies the program could not build it.
func TestPagesDiffsImportWhatTheyName(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(docs, "*.md"))
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	for _, page := range pages {
		for _, match := range program.FindAllStringSubmatch(read(t, page), -1) {
			diff := match[1]
			requireImports(t, page, diff, "+") // before the change
			requireImports(t, page, diff, "-") // after it
		}
	}
}

// requireImports requires that a program imports each package that it names. The program is a diff of a page without
// the lines that begin with leftOut.
func requireImports(t *testing.T, page, diff, leftOut string) {
	t.Helper()
	text := "package program\n"
	for line := range strings.Lines(diff) {
		if !strings.HasPrefix(line, leftOut) {
			text += strings.TrimLeft(line, "-+ ")
		}
	}
	file, err := parser.ParseFile(token.NewFileSet(), page, text, 0)
	require.NoError(t, err)

	imported := map[string]bool{}
	for _, spec := range file.Imports {
		imported[path.Base(strings.Trim(spec.Path.Value, `"`))] = true
		if spec.Name != nil {
			imported[spec.Name.Name] = true
		}
	}

	ast.Inspect(file, func(node ast.Node) bool {
		selector, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		// A name without an object is not declared in the file, so it is that of a package.
		name, ok := selector.X.(*ast.Ident)
		if ok && name.Obj == nil {
			const message = "%s: %s is not imported without the lines of %s"
			require.True(t, imported[name.Name], message, page, name.Name, leftOut)
		}
		return true
	})
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func flat(text string) string { return strings.TrimSpace(space.ReplaceAllString(text, " ")) }
