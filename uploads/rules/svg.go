package rules

import (
	"bytes"
	"encoding/xml"
	"io"
	"regexp"
	"strings"
)

const byteOrderMark = "\xEF\xBB\xBF"

// inspectSVG refuses an SVG document that runs a program or refers to anything outside of itself. It
// also refuses invalid XML, which browsers read in different ways, and documents of 1 MiB or more.
func inspectSVG(h *head) (width, height int, refused *reason) {
	h.fill(headBytes)
	if !h.isWhole() || len(h.buf) == headBytes {
		return 0, 0, tooLong
	}

	// RawToken fails for any encoding except UTF-8.
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(h.buf, []byte(byteOrderMark))))
	v := &svgVisitor{first: true}
	for {
		if h.canceled() {
			// The caller returns the error of the context instead.
			return 0, 0, damaged
		}
		token, err := d.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, 0, damaged
		}
		problem := v.visit(token)
		if problem != nil {
			return 0, 0, problem
		}
		v.first = false
	}

	if len(v.open) != 0 || v.roots != 1 {
		return 0, 0, damaged
	}
	return 0, 0, styleReason(v.style.String(), true)
}

// An svgVisitor checks each token of one document, in order.
type svgVisitor struct {
	first, typed bool // first is true before the first token has been read; typed is true after the document type
	open         []xml.Name
	roots        int
	// styleDepth is the depth of the style element that contains the current token. It is 0 outside
	// of style elements.
	styleDepth int
	// style is the text of all style elements, without comments. Browsers also join the text before
	// and after a comment, which may form one word.
	style strings.Builder
}

// visit checks the next token, and returns the reason why it is refused, or nil.
func (v *svgVisitor) visit(token xml.Token) *reason {
	switch t := token.(type) {
	case xml.StartElement:
		return v.enter(t)
	case xml.EndElement:
		return v.leave(t)
	case xml.CharData:
		return v.text(t)
	case xml.Comment:
		// In HTML, the texts "<!-->" and "<!--->" are whole comments. A browser that reads the file as
		// HTML would run the text after them.
		if bytes.HasPrefix(t, []byte(">")) || bytes.HasPrefix(t, []byte("->")) {
			return activeContent
		}
	case xml.ProcInst:
		return v.instruction(t)
	case xml.Directive:
		return v.directive(t)
	}
	return nil
}

// text keeps the text of a style element. Outside of the root element, it refuses any text.
func (v *svgVisitor) text(t xml.CharData) *reason {
	if v.styleDepth > 0 {
		v.style.Write(t)
		return nil
	}
	if len(v.open) == 0 && len(bytes.TrimSpace(t)) > 0 {
		return damaged
	}
	return nil
}

// enter checks the beginning of an element.
func (v *svgVisitor) enter(e xml.StartElement) *reason {
	// Refuse an element inside a style element. Browsers skip the inner element and join the text
	// around it, which could form a dangerous style.
	if v.styleDepth > 0 {
		return activeContent
	}
	if len(v.open) == 0 {
		v.roots++
		if v.roots > 1 || !strings.EqualFold(e.Name.Local, "svg") {
			return damaged
		}
	}

	v.open = append(v.open, e.Name)
	if strings.EqualFold(e.Name.Local, "style") {
		v.styleDepth = len(v.open)
	}
	names := make(map[xml.Name]bool, len(e.Attr))

	// No attribute may occur twice.
	for _, a := range e.Attr {
		if names[a.Name] {
			return damaged
		}
		names[a.Name] = true
	}
	return elementReason(e)
}

// leave checks the end of an element.
func (v *svgVisitor) leave(e xml.EndElement) *reason {
	last := len(v.open) - 1
	if last < 0 || v.open[last] != e.Name {
		return damaged
	}
	if len(v.open) == v.styleDepth {
		v.styleDepth = 0
	}
	v.open = v.open[:last]
	return nil
}

var (
	declaration = regexp.MustCompile(`^version\s*=\s*["']1\.[01]["']` +
		`(\s+encoding\s*=\s*["'](?i:utf-8|us-ascii)["'])?(\s+standalone\s*=\s*["'](yes|no)["'])?\s*$`)
	// documentType matches a document type without an internal subset, because a subset could
	// define entities.
	documentType = regexp.MustCompile(
		`^DOCTYPE\s+([\w.-]+:)?svg(\s+(PUBLIC\s+["'][^"'<>]*["']|SYSTEM)\s+["'][^"'<>]*["'])?\s*$`,
	)
	// knownType matches a document type that has no address, or an address at the W3C, as drawing
	// programs write it.
	knownType = regexp.MustCompile(
		`svg(\s+PUBLIC\s+["']-//W3C//DTD SVG [^"']*["']\s+["']https?://www\.w3\.org/[\w./-]+\.dtd["'])?\s*$`,
	)
)

// instruction refuses any processing instruction except the declaration at the beginning.
func (v *svgVisitor) instruction(t xml.ProcInst) *reason {
	if t.Target != "xml" {
		// Instructions such as xml-stylesheet fetch something.
		return activeContent
	}
	if !v.first || !declaration.Match(t.Inst) {
		return damaged
	}
	return nil
}

// directive refuses any document type except those that drawing programs write.
func (v *svgVisitor) directive(t xml.Directive) *reason {
	isRepeated := v.typed
	v.typed = true
	if bytes.ContainsAny(t, "[]<>") {
		return activeContent
	}
	if isRepeated || v.roots > 0 || !documentType.Match(t) {
		return damaged
	}
	if !knownType.Match(t) {
		// A program that shows the drawing may download the file that the document type refers to,
		// which could define entities.
		return externalReference
	}
	return nil
}
