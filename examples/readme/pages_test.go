package readme

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A reader must find every function of the package, every Code and every parameter of an address
// on the page that lists them.
func TestPagesListEverything(t *testing.T) {
	function := regexp.MustCompile(`(?m)^func ([A-Z]\w*)`)
	code := regexp.MustCompile(`(?m)^\t([A-Z]\w*) +Code = `)
	tests := []struct {
		page   string
		file   string         // which declares the names
		name   *regexp.Regexp // finds a name, or a list of names, in the file
		suffix string         // what follows a name on the page
	}{
		{page: "docs/options.md", file: "docs/api/storage.txt", name: function, suffix: "`"},
		{page: "docs/troubleshooting.md", file: "errors.go", name: code, suffix: "` |"},
		{page: "docs/stores.md", file: "address.go", name: inParams("commonParameters"), suffix: "="},
		{page: "docs/stores.md", file: "providers/local/address.go", name: inParams("Params:"), suffix: "="},
		{page: "docs/stores.md", file: "providers/s3/address.go", name: inParams("Params:"), suffix: "="},
		{page: "docs/stores.md", file: "providers/gcs/address.go", name: inParams("Params:"), suffix: "="},
		{page: "docs/stores.md", file: "providers/azure/address.go", name: inParams("Params:"), suffix: "="},
	}
	for _, tt := range tests {
		page := read(t, tt.page)
		file := read(t, tt.file)

		// Find the names in the file. inParams finds one list of them, as its second part.
		names := tt.name.FindAllStringSubmatch(file, -1)
		if tt.name.NumSubexp() == 2 {
			list := names[0][2]
			names = regexp.MustCompile(`"(\w+)"`).FindAllStringSubmatch(list, -1)
		}
		require.Greater(t, len(names), 3, tt.file)

		// The page has each of them.
		for _, name := range names {
			require.Contains(t, page, "`"+name[1]+tt.suffix, "%s lacks a name of %s", tt.page, tt.file)
		}
	}
}

var word = regexp.MustCompile(`\S*[\pL\pN]\S*`) // "|" is none

// A user reads the pages of the site's menu, and the first one. They have at most 31,000 words, without code and
// names in it; those of docs/maintainers have a menu of their own.
func TestPagesOfTheMenuAreShort(t *testing.T) {
	code := regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	words := 0
	for _, page := range append(menu(t), "docs/README.md") {
		if !strings.HasPrefix(page, "docs/maintainers/") {
			words += len(word.FindAllString(code.ReplaceAllString(read(t, page), " "), -1))
		}
	}
	t.Log(words, "words")
	require.LessOrEqual(t, words, 31_000)
}

// An agent finds each page of the menu by llms.txt, and no link of it leads nowhere.
func TestLLMsTxtHasEachPage(t *testing.T) {
	const files = `https://raw\.githubusercontent\.com/omnibucket/storage/main/`
	link := regexp.MustCompile(`(?m)^- \[[^]]+\]\(` + files + `(\S+)\): [A-Z].*\.$`)
	text := read(t, "llms.txt")
	require.Regexp(t, `^# omnibucket\n\n> [^\n]+\n`, text)

	// Each link leads to a file.
	linked := map[string]bool{}
	for _, match := range link.FindAllStringSubmatch(text, -1) {
		file := match[1]
		require.FileExists(t, filepath.Join(root, file))
		linked[file] = true
	}
	require.Len(t, linked, strings.Count(text, "]("), "each link is in a line of its own, with a sentence")

	// The pages for maintainers have a menu of their own.
	require.True(t, linked["docs/for-agents.md"])
	for _, page := range menu(t) {
		if !strings.HasPrefix(page, "docs/maintainers/") {
			require.True(t, linked[page], "llms.txt lacks %s", page)
		}
	}
}

// Each name that the page for agents writes with its package is exported.
func TestAgentsPageNamesExist(t *testing.T) {
	page := read(t, "docs/for-agents.md")
	files := map[string]string{"s3": "providers/s3", "faults": "storagetest/faults"}
	names := regexp.MustCompile(`\b(storage|memstore|s3|driver|serve|faults|transfer)\.([A-Z]\w*)`)
	for _, name := range names.FindAllStringSubmatch(page, -1) {
		api := read(t, "docs/api/"+cmp.Or(files[name[1]], name[1])+".txt")
		require.Regexp(t, `(?m)^(func|type|const|var) `+name[2]+`\b`, api, "the page has %s", name[0])
	}
}

// menu returns the files of the pages of the site's menu.
func menu(t *testing.T) []string {
	t.Helper()
	pages := regexp.MustCompile(`(?m)^  \['[^']+', '([a-z0-9/-]+)'\],$`)
	var files []string
	for _, page := range pages.FindAllStringSubmatch(read(t, "tools/site/.vitepress/config.mjs"), -1) {
		name := page[1]
		if strings.HasSuffix(name, "/") {
			name += "README"
		}
		files = append(files, "docs/"+name+".md")
	}
	require.Greater(t, len(files), 20)
	return files
}

// A stranger reads the whole README, which has at most 1,150 words, code included.
func TestReadmeIsShort(t *testing.T) {
	words := len(word.FindAllString(read(t, "README.md"), -1))
	t.Log(words, "words")
	require.LessOrEqual(t, words, 1_150)
}

// A visitor reads the part above the badges without scrolling, on a screen of 900 pixels. It says for whom the library
// is, what it adds to an SDK and to gocloud.dev, and what to type. Its only program is a test that needs no server.
func TestReadmeBeginsWithTheAPI(t *testing.T) {
	const (
		maxScreenLines  = 45
		maxProgramLines = 24
		firstBadge      = "[!["
	)
	screen, _, _ := strings.Cut(read(t, "README.md"), firstBadge)
	require.LessOrEqual(t, strings.Count(screen, "\n"), maxScreenLines)
	starts := []string{"**One Go API", "**For**", "**On S3 only?**", "**Beside gocloud.dev:**", "**Try it:**"}
	for _, start := range starts {
		require.Contains(t, screen, start)
	}

	blocks := block.FindAllStringSubmatch(screen, -1)
	require.Len(t, blocks, 1)
	file := blocks[0][1]
	program := blocks[0][2]
	require.Equal(t, "examples/readme/seats_test.go", file)
	require.LessOrEqual(t, strings.Count(program, "\n"), maxProgramLines)
	calls := []string{"storage.IfAbsent()", "storage.ReadAll(", "bucket.List(", "memstore.New()", "storage.Open("}
	for _, call := range calls {
		require.Contains(t, program, call)
	}
}

// Each figure of the README is that of a result that a command of the repository wrote. These results are in
// docs/support.md and docs/performance.md.
func TestReadmeFiguresAreMeasured(t *testing.T) {
	readme := read(t, "README.md")
	performance := read(t, "docs/performance.md")

	// The number of test cases is that of a row in docs/support.md.
	cases := regexp.MustCompile(`production: (\d+) test cases`).FindStringSubmatch(readme)
	require.NotNil(t, cases)
	number := cases[1]
	passed := regexp.MustCompile(`(?m)^\| cases passed \|.*$`).FindString(read(t, "docs/support.md"))
	require.Contains(t, passed, "| "+number+" |", "the cases of the suite in docs/support.md")

	// The factors of AWS's managers are in two rows of docs/performance.md.
	managers := regexp.MustCompile(`AWS's managers take ([\d.]+) times as long .*, and ([\d.]+)\s+times`)
	factors := managers.FindStringSubmatch(readme)
	require.NotNil(t, factors)
	uploadFactor := factors[1]
	downloadFactor := factors[2]
	for row, factor := range map[string]string{
		"upload of unknown length": uploadFactor,
		"download to a file":       downloadFactor,
	} {
		require.Regexp(t, `(?m)^\| `+row+` \| [^|]+ \| `+regexp.QuoteMeta(factor)+` \|`, performance)
	}
}

// The overview on pkg.go.dev has the function of the README's program, and names each package that users import and
// each method of a bucket.
func TestOverviewHasEachPackage(t *testing.T) {
	overview, _, _ := strings.Cut(read(t, "storage.go"), "\npackage storage")

	// The function of the program is an indented block of the comment.
	_, program, _ := strings.Cut(read(t, "examples/readme/hello/main.go"), "\nfunc hello(")
	program = "func hello(" + strings.TrimSpace(program)
	indented := regexp.MustCompile(`(?m)^(.+)$`).ReplaceAllString(program, "\t$1")
	comment := regexp.MustCompile(`(?m)^`).ReplaceAllString(indented, "//")
	require.Contains(t, overview, comment)

	// Three folders have no packages that users import.
	_, packages, _ := strings.Cut(overview, "# Packages")
	files, err := filepath.Glob(filepath.Join(root, "*", "*.go"))
	require.NoError(t, err)
	providers, err := filepath.Glob(filepath.Join(root, "providers", "*", "*.go"))
	require.NoError(t, err)
	for _, file := range append(files, providers...) {
		dir, err := filepath.Rel(root, filepath.Dir(file))
		require.NoError(t, err)
		if name := filepath.ToSlash(dir); name != "analyzers" && name != "internal" && name != "examples" {
			require.Regexp(t, `\b`+name+`\b`, packages)
		}
	}

	methods := []string{
		"Upload", "Download", "List", "Attrs", "Exists", "Remove", "SignedUploadURL", "SignedDownloadURL", "PublicURL",
	}
	for _, method := range methods {
		require.Contains(t, overview, "[Bucket."+method+"]")
	}
}

// Each row of a comparison has one that says how its cells were found.
func TestComparisonRowsHaveSources(t *testing.T) {
	row := regexp.MustCompile(`(?m)^\| ([^|]+) \|`)
	sources := read(t, "docs/maintainers/comparison-sources.md")
	_, table, _ := strings.Cut(read(t, "README.md"), "## Why another one\n")
	table, _, _ = strings.Cut(table, "\n[The comparison]")
	for _, compared := range []string{table, read(t, "docs/cli-beside-others.md")} {
		rows := row.FindAllStringSubmatch(compared, -1)
		require.Greater(t, len(rows), 5)
		for _, match := range rows {
			require.Contains(t, sources, "\n| "+match[1]+" |")
		}
	}
}

// inParams finds the list of strings after a name.
func inParams(name string) *regexp.Regexp {
	return regexp.MustCompile(`(` + name + `) .*\[\]string\{([^}]*)\}`)
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	return string(text)
}
