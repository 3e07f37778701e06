package main

import (
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// maxWords is the largest number of words in a sentence of a doc comment.
const maxWords = 35

// docComments checks the links and the length of the sentences in the doc comments of a file.
func (l *linter) docComments(file string, tree *ast.File, files *token.FileSet) error {
	pkg, err := l.packages.load(filepath.Dir(file))
	if err != nil {
		return err
	}
	if strings.HasSuffix(file, "_test.go") {
		pkg = pkg.withImports(tree)
	}

	for _, doc := range docsOf(tree) {
		d := &docChecker{
			l:       l,
			file:    file,
			line:    files.Position(doc.Pos()).Line,
			pkg:     pkg,
			pkgName: tree.Name.Name,
		}
		d.check(doc.Text())
	}
	return nil
}

// A docChecker checks one doc comment. It reports all findings at the first line of the comment.
type docChecker struct {
	l       *linter
	file    string
	line    int
	pkg     *names // names to which links can refer
	pkgName string
}

// check checks the text of the doc comment.
func (d *docChecker) check(text string) {
	parser := comment.Parser{LookupPackage: d.lookupPackage, LookupSym: d.lookupSym}
	for _, t := range textsOf(parser.Parse(text).Content) {
		d.checkLinks(t)
		first, words := longest(plain(t))
		if words > maxWords {
			d.report(fmt.Sprintf("a sentence of %d words (%d at most): %q", words, maxWords, first+" …"))
		}
	}
}

func (d *docChecker) report(finding string) { d.l.report(d.file, d.line, finding) }

// reportLink reports a link whose name does not exist.
func (d *docChecker) reportLink(name string) {
	d.report(fmt.Sprintf("the link [%s] does not resolve", name))
}

// lookupPackage returns the import path of the package with the given name in a link, or "" for the
// package of the comment. It is called for each link to a package.
func (d *docChecker) lookupPackage(name string) (importPath string, ok bool) {
	if name == d.pkgName {
		return "", true
	}
	if p, ok := d.pkg.imports[name]; ok {
		return p, true
	}
	if p, ok := comment.DefaultLookupPackage(name); ok {
		return p, true
	}
	if token.IsIdentifier(name) {
		d.reportLink(name + ".…")
	}
	return "", false
}

// lookupSym reports a link to a name that the package of the comment does not have. It always returns
// true, so that the text stays a link for the other checks.
func (d *docChecker) lookupSym(recv, name string) bool {
	if !d.pkg.has(recv, name) {
		d.reportLink(joinName(recv, name))
	}
	return true
}

// docsOf returns the doc comments in a file: those of the package, of declarations, and of fields
// and methods.
func docsOf(file *ast.File) []*ast.CommentGroup {
	var docs []*ast.CommentGroup

	add := func(doc *ast.CommentGroup) {
		if doc != nil {
			docs = append(docs, doc)
		}
	}

	add(file.Doc)
	for _, decl := range file.Decls {
		ast.Inspect(decl, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				add(n.Doc)
				return false
			case *ast.GenDecl:
				add(n.Doc)
			case *ast.TypeSpec:
				add(n.Doc)
			case *ast.ValueSpec:
				add(n.Doc)
				return false
			case *ast.Field:
				add(n.Doc)
			}
			return true
		})
	}
	return docs
}

// textsOf returns the pieces of text in a doc comment, such as a paragraph or an item of a list.
func textsOf(content []comment.Block) [][]comment.Text {
	var texts [][]comment.Text
	for _, block := range content {
		switch block := block.(type) {
		case *comment.Heading:
			texts = append(texts, block.Text)
		case *comment.Paragraph:
			texts = append(texts, block.Text)
		case *comment.List:
			for _, item := range block.Items {
				texts = append(texts, textsOf(item.Content)...)
			}
		}
	}
	return texts
}

// checkLinks reports the links in a piece of text to names of this repository that do not exist.
func (d *docChecker) checkLinks(text []comment.Text) {
	for _, t := range text {
		link, ok := t.(*comment.DocLink)
		if !ok || link.ImportPath == "" || link.Name == "" {
			continue
		}
		p, err := d.l.packages.byPath(link.ImportPath)
		if err == nil && p != nil && !p.has(link.Recv, link.Name) {
			d.reportLink(path.Base(link.ImportPath) + "." + joinName(link.Recv, link.Name))
		}
	}
}

func joinName(recv, name string) string {
	if recv == "" {
		return name
	}
	return recv + "." + name
}

// plain returns text as a string, without the markup of links.
func plain(text []comment.Text) string {
	var words strings.Builder
	for _, t := range text {
		switch t := t.(type) {
		case comment.Plain:
			words.WriteString(string(t))
		case comment.Italic:
			words.WriteString(string(t))
		case *comment.Link:
			words.WriteString(plain(t.Text))
		case *comment.DocLink:
			words.WriteString(plain(t.Text))
		}
	}
	return words.String()
}

var (
	sentenceEnd  = regexp.MustCompile(`[.!?]["')\]]*\s+`)
	abbreviation = regexp.MustCompile(`\b(e\.g|i\.e|cf|vs|etc|No)\.\s*$`)
)

// longest returns the number of words in the longest sentence of text, and the first words of that
// sentence.
func longest(text string) (first string, words int) {
	for _, sentence := range sentencesOf(text) {
		if fields := strings.Fields(sentence); len(fields) > words {
			words = len(fields)
			first = strings.Join(fields[:min(6, len(fields))], " ")
		}
	}
	return first, words
}

// sentencesOf splits text after each sentence. The period of an abbreviation ends no sentence.
func sentencesOf(text string) []string {
	var sentences []string
	start := 0
	for _, match := range sentenceEnd.FindAllStringIndex(text, -1) {
		end := match[1]
		if abbreviation.MatchString(text[start:end]) {
			continue
		}
		sentences = append(sentences, text[start:end])
		start = end
	}
	return append(sentences, text[start:])
}
