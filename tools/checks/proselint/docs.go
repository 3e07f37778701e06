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
		number := files.Position(doc.Pos()).Line
		unresolved := func(link string) {
			l.report(file, number, fmt.Sprintf("the link [%s] does not resolve", link))
		}
		parser := comment.Parser{
			LookupPackage: func(name string) (string, bool) {
				if name == tree.Name.Name {
					return "", true // the package itself
				}
				if p, ok := pkg.imports[name]; ok {
					return p, true
				}
				if p, ok := comment.DefaultLookupPackage(name); ok {
					return p, true
				}
				if token.IsIdentifier(name) {
					unresolved(name + ".…")
				}
				return "", false
			},
			LookupSym: func(recv, name string) bool {
				if !pkg.has(recv, name) {
					unresolved(joinName(recv, name))
				}
				// A link that does not resolve has been reported. It stays a link for the checks below.
				return true
			},
		}

		parsed := parser.Parse(doc.Text())
		l.blocks(parsed.Content, func(text []comment.Text) {
			l.links(text, unresolved)
			if first, words := longest(plain(text)); words > maxWords {
				l.report(file, number, fmt.Sprintf("a sentence of %d words (%d at most): %q", words, maxWords, first+" …"))
			}
		})
	}
	return nil
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

// blocks visits each piece of text in a doc comment, such as a paragraph or an item of a list. It
// calls its parameter text with each piece.
func (l *linter) blocks(content []comment.Block, text func([]comment.Text)) {
	for _, block := range content {
		switch block := block.(type) {
		case *comment.Heading:
			text(block.Text)
		case *comment.Paragraph:
			text(block.Text)
		case *comment.List:
			for _, item := range block.Items {
				l.blocks(item.Content, text)
			}
		}
	}
}

// links checks the doc links in a piece of text. If a link is to a name of this repository that
// does not exist, it calls the function unresolved.
func (l *linter) links(text []comment.Text, unresolved func(string)) {
	for _, t := range text {
		link, ok := t.(*comment.DocLink)
		if !ok || link.ImportPath == "" || link.Name == "" {
			continue
		}
		p, err := l.packages.byPath(link.ImportPath)
		if err == nil && p != nil && !p.has(link.Recv, link.Name) {
			unresolved(path.Base(link.ImportPath) + "." + joinName(link.Recv, link.Name))
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
