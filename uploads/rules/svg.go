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
	// Read the whole document.
	h.fill(headBytes)
	hasMaxLength := len(h.buf) == headBytes
	if !h.isWhole() || hasMaxLength {
		return 0, 0, tooLong
	}

	// RawToken fails for any encoding except UTF-8.
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(h.buf, []byte(byteOrderMark))))
	// Check each token.
	var v svgVisitor
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
		if problem := v.visit(token); problem != nil {
			return 0, 0, problem
		}
	}

	// Check the document as a whole, and the texts of its style elements together.
	if len(v.open) != 0 || v.roots != 1 {
		return 0, 0, damaged
	}
	return 0, 0, styleReason(v.style.String())
}

// An svgVisitor checks each token of one document, in order.
type svgVisitor struct {
	tokens          int  // number of tokens until now, including the current one
	hasDocumentType bool // true after the document type
	open            []xml.Name
	roots           int
	// styleDepth is the depth of the style element that contains the current token. It is 0 outside
	// of style elements.
	styleDepth int
	// style is the text of all style elements, without comments. Browsers also join the text before
	// and after a comment, which may form one word.
	style strings.Builder
}

// visit checks the next token, and returns the reason why it is refused, or nil.
func (v *svgVisitor) visit(token xml.Token) *reason {
	v.tokens++
	switch t := token.(type) {
	case xml.StartElement:
		return v.checkStart(t)
	case xml.EndElement:
		return v.checkEnd(t)
	case xml.CharData:
		return v.checkText(t)
	case xml.Comment:
		// In HTML, the texts "<!-->" and "<!--->" are whole comments. A browser that reads the file as
		// HTML would run the text after them.
		if bytes.HasPrefix(t, []byte(">")) || bytes.HasPrefix(t, []byte("->")) {
			return activeContent
		}
	case xml.ProcInst:
		return v.checkInstruction(t)
	case xml.Directive:
		return v.checkDirective(t)
	}
	return nil
}

// checkText keeps text in a style element to be checked at the end, and refuses text outside of the
// root element.
func (v *svgVisitor) checkText(t xml.CharData) *reason {
	if v.styleDepth > 0 {
		v.style.Write(t)
		return nil
	}
	if len(v.open) == 0 && len(bytes.TrimSpace(t)) > 0 {
		return damaged
	}
	return nil
}

// checkStart checks the start tag of an element, and puts the element on the stack of open ones.
func (v *svgVisitor) checkStart(e xml.StartElement) *reason {
	// Refuse an element inside a style element. Browsers skip the inner element and join the text
	// around it, which could form a dangerous style.
	if v.styleDepth > 0 {
		return activeContent
	}

	// The document must have one root, which is an svg element.
	if len(v.open) == 0 {
		v.roots++
		if v.roots > 1 || !strings.EqualFold(e.Name.Local, "svg") {
			return damaged
		}
	}

	// Open the element.
	v.open = append(v.open, e.Name)
	if strings.EqualFold(e.Name.Local, "style") {
		v.styleDepth = len(v.open)
	}

	// No attribute may occur twice.
	seen := make(map[xml.Name]bool, len(e.Attr))
	for _, a := range e.Attr {
		if seen[a.Name] {
			return damaged
		}
		seen[a.Name] = true
	}
	return elementReason(e)
}

// checkEnd checks that an end tag belongs to the innermost open element, and closes the element.
func (v *svgVisitor) checkEnd(e xml.EndElement) *reason {
	last := len(v.open) - 1
	if last < 0 || v.open[last] != e.Name {
		return damaged
	}
	if v.styleDepth == len(v.open) {
		// The style element ends here. 0 means that none is open.
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

// checkInstruction refuses any processing instruction except an XML declaration at the beginning.
func (v *svgVisitor) checkInstruction(t xml.ProcInst) *reason {
	if t.Target != "xml" {
		// Instructions such as xml-stylesheet fetch something.
		return activeContent
	}
	if v.tokens > 1 || !declaration.Match(t.Inst) {
		return damaged
	}
	return nil
}

// checkDirective refuses any document type except those that drawing programs write.
func (v *svgVisitor) checkDirective(t xml.Directive) *reason {
	isRepeated := v.hasDocumentType
	v.hasDocumentType = true
	if bytes.ContainsAny(t, "[]<>") {
		// In brackets, a document type can define entities.
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
