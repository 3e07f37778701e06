package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// goFile checks the comments, string literals and names of tests in a Go file. It skips a generated
// file.
func (l *linter) goFile(path string) error {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	if ast.IsGenerated(file) {
		return nil
	}

	line := func(pos token.Pos) int { return files.Position(pos).Line }
	for _, group := range file.Comments {
		l.comment(path, group, line)
	}

	imports := make(map[*ast.BasicLit]bool)
	for _, spec := range file.Imports {
		imports[spec.Path] = true
	}

	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if n.Kind == token.STRING && !imports[n] {
				l.literal(path, n.Value, line(n.Pos()))
			}
		case *ast.FuncDecl:
			if strings.HasSuffix(path, "_test.go") && n.Recv == nil {
				l.testName(path, n.Name.Name, line(n.Pos()))
			}
		}
		return true
	})

	return l.docComments(path, file, files)
}

// comment checks the paragraphs of a comment. It skips code and directives in the comment.
func (l *linter) comment(path string, group *ast.CommentGroup, line func(token.Pos) int) {
	c := l.newCollector(path)
	for _, comment := range group.List {
		firstLine := line(comment.Pos())
		text, isLine := strings.CutPrefix(comment.Text, "//")
		if !isLine {
			text = strings.TrimSuffix(strings.TrimPrefix(text, "/*"), "*/")
		}
		for i, part := range strings.Split(text, "\n") {
			if isBlankOrCode(part) {
				c.end()
				continue
			}
			isDirective := isLine && !strings.HasPrefix(part, " ") // such as //go:embed
			if !isDirective {
				c.add(firstLine+i, part)
			}
		}
	}
	c.end()
}

// isBlankOrCode reports whether a line of a comment is no prose. Code is indented by a tab.
func isBlankOrCode(line string) bool {
	if strings.TrimSpace(line) == "" {
		return true
	}
	return strings.HasPrefix(line, "\t") || strings.HasPrefix(line, " \t")
}

// literal checks a string literal if it looks like prose.
func (l *linter) literal(path, value string, number int) {
	text, err := strconv.Unquote(value)
	if err != nil {
		return
	}
	c := collector{
		file: path,
		report: func(p paragraph) {
			l.checkPhrases(p)
			l.checkRules(p, false)
		},
	}
	isRaw := strings.HasPrefix(value, "`")
	for i, part := range strings.Split(text, "\n") {
		// An empty line ends a paragraph.
		if strings.TrimSpace(part) == "" {
			c.end()
		}
		// The source of a literal in quotes is one line, even if its text has several.
		line := number
		if isRaw {
			line += i
		}
		c.add(line, part)
	}
	c.end()
}

var testKind = regexp.MustCompile(`^(Test|Benchmark|Fuzz|Example)([A-Z_].*)$`)

// testName checks the words in the name of a test, except the word "Test".
func (l *linter) testName(path, name string, number int) {
	match := testKind.FindStringSubmatch(name)
	if match == nil {
		return
	}
	kind, subject := match[1], match[2]
	c := collector{file: path, report: l.checkPhrases}
	c.add(number, kind+" "+splitWords(subject))
	c.end()
}

// splitWords splits a name in mixed case into words, separated by spaces. All letters except the
// first become lower case.
func splitWords(name string) string {
	var words strings.Builder
	runes := []rune(strings.ReplaceAll(name, "_", " "))
	for i, r := range runes {
		if beginsWord(runes, i) {
			words.WriteByte(' ')
		}
		if i > 0 {
			r = unicode.ToLower(r)
		}
		words.WriteRune(r)
	}
	return strings.Join(strings.Fields(words.String()), " ")
}

// beginsWord reports whether the letter at index i begins a further word of a name in mixed case. It
// is in upper case, and a letter beside it is in lower case, as T and L are in "readTAPLine".
func beginsWord(name []rune, i int) bool {
	if i == 0 || !unicode.IsUpper(name[i]) {
		return false
	}
	if unicode.IsLower(name[i-1]) {
		return true
	}
	return i+1 < len(name) && unicode.IsLower(name[i+1])
}
