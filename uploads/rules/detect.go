package rules

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"regexp"
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

const (
	typeSVG  = "image/svg+xml"
	typePNG  = "image/png"
	typeAPNG = "image/vnd.mozilla.apng" // animated PNG, which every PNG reader can show

	unknownType = "application/octet-stream"
)

// Pictures returns the types that are allowed if Rules.Types is nil. They are pictures that
// browsers show and that cannot contain a program.
func Pictures() []string { return slices.Clone(rasterTypes) }

// rasterTypes lists the pictures that browsers may show. All other files are served as downloads.
var rasterTypes = []string{"image/jpeg", typePNG, "image/gif", "image/webp", "image/avif"}

// allowTypes converts Rules.Types to the names that detection uses, and fails if the list is invalid. The error says
// what Types must be or has.
func allowTypes(types []string) (allowed []string, err error) {
	if len(types) == 0 {
		return nil, errors.New("must be nil or have a type")
	}
	for _, t := range types {
		m := mimetype.Lookup(t)
		if m != nil && m.Is(typeAPNG) {
			// An animated PNG counts as PNG.
			m = m.Parent()
		}
		if m == nil {
			return nil, fmt.Errorf("has %q, which cannot be detected by content", t)
		}
		if m.Parent() == nil {
			return nil, fmt.Errorf("has %q, which is the type of unknown content", t)
		}
		if isActive(m) {
			return nil, fmt.Errorf("has %q, which browsers run", t)
		}
		allowed = append(allowed, mediaTypeOf(m))
	}
	return allowed, nil
}

// isActive reports whether a browser that opens a file of this type runs its content.
func isActive(t *mimetype.MIME) bool {
	name := mediaTypeOf(t)
	if name == typeSVG {
		// An SVG that contains scripts is refused later.
		return false
	}
	if strings.HasSuffix(name, "+xml") {
		return true
	}

	activeTypes := []string{"text/html", "application/xhtml+xml", "text/xml", "text/javascript", "text/x-php"}
	return slices.ContainsFunc(activeTypes, t.Is)
}

// mediaTypeOf returns the name of a type without its parameters.
func mediaTypeOf(t *mimetype.MIME) string {
	name, _, err := mime.ParseMediaType(t.String())
	if err != nil {
		return t.String()
	}
	return name
}

// detect determines the type of the file from its first bytes.
func detect(h *head) *Verdict {
	first := h.firstBytes(sniffBytes)
	detected := mimetype.Detect(first)
	if detected.Is(typeAPNG) {
		// An animated PNG counts as PNG.
		detected = detected.Parent()
	}
	isText := strings.HasPrefix(detected.String(), "text/")
	if isText && beginsSVG(first) {
		detected = mimetype.Lookup(typeSVG)
	}

	mediaType := mediaTypeOf(detected)
	return &Verdict{
		MediaType:   mediaType,
		ContentType: detected.String(),
		Extension:   extensionOf(mediaType),
		Inline:      slices.Contains(rasterTypes, mediaType),
	}
}

// svgPrologue matches the text before the root element of an SVG: a byte order mark, a declaration,
// comments (such as a license) and the document type. It is needed because mimetype detects another
// type in files with such a beginning.
var svgPrologue = regexp.MustCompile(`^(` + byteOrderMark +
	`)?(\s|<\?xml\s[^>]*\?>|<!--(?s:.*?)-->|<!DOCTYPE\s[^>\[]*>)*<([\w.-]+:)?svg[\s/>]`)

// beginsSVG reports whether a text begins as an SVG does.
func beginsSVG(b []byte) bool {
	return svgPrologue.Match(b) && bytes.Contains(b, []byte("http://www.w3.org/2000/svg"))
}

// extensionOf returns the extension of a type. Each type has exactly one, so that a key can be
// computed again from the type.
func extensionOf(mediaType string) string { return mimetype.Lookup(mediaType).Extension() }

// aliases maps unusual names of types to the usual names. Browsers and old programs send these
// names, but package mimetype does not know them.
var aliases = map[string]string{
	"image/jpg":   "image/jpeg",
	"image/pjpeg": "image/jpeg",
	"image/x-png": typePNG,
	"image/svg":   typeSVG,
}

// claimedType converts the type that the sender claims to the name that detection uses, or to "" if
// the claim says nothing.
func claimedType(claimed string) string {
	name, _, err := mime.ParseMediaType(claimed)
	if err != nil || name == unknownType {
		return ""
	}
	if detectedName, ok := aliases[name]; ok {
		return detectedName
	}
	if m := mimetype.Lookup(name); m != nil {
		return mediaTypeOf(m)
	}
	return name
}

// notAllowed returns the refusal of a file whose detected type is not allowed. If the sender claims an
// allowed type, the message says that the claim is wrong.
func (j *Judge) notAllowed(detected, claimed string) *Refusal {
	text := "This kind of file cannot be uploaded"
	if detected != unknownType {
		text += " (it is " + typeName(detected) + ")"
	}
	claimed = claimedType(claimed)
	if claimed != detected && slices.Contains(j.types, claimed) {
		text = "This file is not the " + typeName(claimed) + " that it claims to be"
	}
	return &Refusal{TypeNotAllowed, text + ". Allowed: " + listTypes(j.types) + "."}
}

// inspectAs checks that the file has the structure of its detected type, because anyone can fake the
// first bytes, and sets the size of a picture in v.
func (j *Judge) inspectAs(h *head, v *Verdict) *Refusal {
	if v.MediaType != typeSVG && hasMarkup(h.firstBytes(markupBytes)) {
		return &Refusal{ActiveContent, "This file has a web page or a program in it, and cannot be uploaded."}
	}

	// Files of some types have no structure to check.
	inspector := inspectors[v.MediaType]
	if inspector == nil {
		return nil
	}

	// Check the structure, which has the size of a picture.
	width, height, problem := inspector(h)
	if problem != nil {
		return problem.refusal(v.MediaType)
	}

	// Divide, because the product could overflow.
	if int64(width) > j.rules.MaxPixels/int64(max(height, 1)) {
		return &Refusal{
			TooManyPixels,
			fmt.Sprintf("The picture is too large: %d by %d pixels, and at most %d million together are allowed.",
				width, height, max(j.rules.MaxPixels/1e6, 1)),
		}
	}
	v.Width = width
	v.Height = height
	return nil
}
