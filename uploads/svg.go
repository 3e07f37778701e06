package uploads

import (
	"bytes"
	"encoding/xml"
	"io"
	"slices"
	"strings"
)

// Elements of SVG that run or fetch something, or hold what does.
var activeElements = []string{
	"script", "foreignobject", "iframe", "object", "embed", "handler", "listener", "link",
	"audio", "video", "canvas", "html", "body", "meta", "base", "form",
}

// Attributes that hold no style and no address, whatever stands in them.
var plainAttributes = []string{"id", "class", "d", "points", "unicode", "glyph-name"}

// inspectSVG reads the whole document, at most 1 MiB of it: scripts, handlers of
// events, entities, style sheets of elsewhere, and references to anything but
// the document itself and raster pictures in it are refused.
func inspectSVG(h *head) (width, height int, refused Code) {
	h.fill(headBytes)
	if !h.whole() || len(h.buf) == headBytes {
		return 0, 0, TooLarge
	}
	d := xml.NewDecoder(bytes.NewReader(h.buf)) // other encodings than UTF-8 fail
	v := &svgVisitor{}
	for {
		token, err := d.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, 0, Damaged
		}
		if refused := v.visit(token); refused != "" {
			return 0, 0, refused
		}
	}
	switch {
	case v.depth != 0 || v.roots != 1:
		return 0, 0, Damaged
	case activeStyle(v.style.String()):
		return 0, 0, ActiveContent
	}
	return 0, 0, ""
}

// An svgVisitor goes through a document once.
type svgVisitor struct {
	depth, roots int
	styleDepth   int             // of the style element that it is in; 0: in none
	style        strings.Builder // all style sheets: comments and elements may cut a word in two
}

func (v *svgVisitor) visit(token xml.Token) (refused Code) {
	switch t := token.(type) {
	case xml.StartElement:
		return v.enter(t)
	case xml.EndElement:
		if v.depth == v.styleDepth {
			v.styleDepth = 0
		}
		if v.depth--; v.depth < 0 {
			return Damaged
		}
	case xml.CharData:
		if v.styleDepth > 0 {
			v.style.Write(t)
		}
	case xml.ProcInst:
		if !strings.EqualFold(t.Target, "xml") {
			return ActiveContent // xml-stylesheet
		}
	case xml.Directive: // <!DOCTYPE with entities
		if bytes.Contains(t, []byte("[")) {
			return ActiveContent
		}
	}
	return ""
}

func (v *svgVisitor) enter(e xml.StartElement) (refused Code) {
	if v.depth == 0 {
		if v.roots++; v.roots > 1 || !strings.EqualFold(e.Name.Local, "svg") {
			return Damaged
		}
	}
	v.depth++
	if v.styleDepth == 0 && strings.EqualFold(e.Name.Local, "style") {
		v.styleDepth = v.depth
	}
	if isActive(e) {
		return ActiveContent
	}
	return ""
}

func isActive(e xml.StartElement) bool {
	if slices.Contains(activeElements, strings.ToLower(e.Name.Local)) {
		return true
	}
	return slices.ContainsFunc(e.Attr, func(a xml.Attr) bool {
		name, value := strings.ToLower(a.Name.Local), squeezed(a.Value)
		switch {
		case strings.HasPrefix(name, "on"):
			return true
		case a.Name.Space == "xmlns" || name == "xmlns":
			return value == "http://www.w3.org/1999/xhtml"
		case name == "href" || name == "src" || name == "from" || name == "to" || name == "values" || name == "by":
			return refersElsewhere(name, value)
		case slices.Contains(plainAttributes, name):
			return false
		case name == "attributename": // an animation that sets a reference or a handler
			return strings.HasSuffix(value, "href") || strings.HasPrefix(value, "on")
		}
		return activeStyle(value)
	})
}

// squeezed is the text as browsers read addresses: without spaces and controls.
func squeezed(text string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7F {
			return -1
		}
		return r
	}, text))
}

func refersElsewhere(name, value string) bool {
	if name != "href" && name != "src" { // of an animation: numbers and colors, too
		return strings.Contains(value, "script:") || strings.Contains(value, "data:") || activeStyle(value)
	}
	if value == "" || value[0] == '#' {
		return false
	}
	return !slices.ContainsFunc([]string{"data:image/png;", "data:image/jpeg;", "data:image/gif;", "data:image/webp;"}, func(prefix string) bool {
		return strings.HasPrefix(value, prefix)
	})
}

// activeStyle tells style sheets that fetch or run something; url(#name) is the
// document itself. A backslash hides letters from whoever looks for them.
func activeStyle(text string) bool {
	text = squeezed(text)
	for _, bad := range []string{"@import", "javascript:", "expression(", "-moz-binding", `\`} {
		if strings.Contains(text, bad) {
			return true
		}
	}
	for {
		_, after, found := strings.Cut(text, "url(")
		if !found {
			return false
		}
		if target := strings.TrimLeft(after, `"'`); !strings.HasPrefix(target, "#") && refersElsewhere("href", target) {
			return true
		}
		text = after
	}
}
