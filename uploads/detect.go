package uploads

import (
	"bytes"
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
	typeAPNG = "image/vnd.mozilla.apng" // a PNG that moves: any reader of PNG shows it
)

// DefaultTypes are those that are allowed where Config.Types is empty: pictures
// that browsers show and that hold no program.
func DefaultTypes() []string { return slices.Clone(rasterTypes) }

// rasterTypes are the pictures that hold no program. Browsers show them; they save
// all else that is stored here.
var rasterTypes = []string{"image/jpeg", typePNG, "image/gif", "image/webp", "image/avif"}

// allowTypes checks a list of types and names them as the detection does.
func allowTypes(types []string) (allowed []string, flaw string) {
	for _, t := range types {
		known := mimetype.Lookup(t)
		if known != nil && known.Is(typeAPNG) {
			known = known.Parent()
		}
		switch {
		case known == nil:
			return nil, fmt.Sprintf("has %q, which no detection by content knows", t)
		case known.Parent() == nil:
			return nil, fmt.Sprintf("has %q, which is what cannot be told", t)
		case isActive(known):
			return nil, fmt.Sprintf("has %q, which browsers run: nothing here makes it safe", t)
		}
		allowed = append(allowed, mediaTypeOf(known))
	}
	return allowed, ""
}

// runs reports whether a browser that is sent there runs what is in it.
func isActive(t *mimetype.MIME) bool {
	name := mediaTypeOf(t)
	if name == typeSVG {
		return false // where it is allowed, its scripts are not
	}
	return slices.ContainsFunc([]string{"text/html", "application/xhtml+xml", "text/xml", "text/javascript", "text/x-php"}, t.Is) ||
		strings.HasSuffix(name, "+xml")
}

func mediaTypeOf(t *mimetype.MIME) string {
	name, _, err := mime.ParseMediaType(t.String())
	if err != nil {
		return t.String()
	}
	return name
}

// A kind is what a file is.
type kind struct {
	mediaType     string // without parameters
	contentType   string // with them
	extension     string // with its point
	width, height int    // of pictures whose header is read
}

// detect tells what the head is a head of.
func detect(h *head) kind {
	t := mimetype.Detect(h.first(sniffBytes))
	switch {
	case t.Is(typeAPNG):
		t = t.Parent()
	case strings.HasPrefix(t.String(), "text/") && beginsSVG(h.first(sniffBytes)):
		t = mimetype.Lookup(typeSVG)
	}
	name := mediaTypeOf(t)
	return kind{mediaType: name, contentType: t.String(), extension: extensionOf(name)}
}

// before are what may stand before an SVG's root: a mark, a declaration, comments
// (of the license) and the document's type, which the detection takes for others'.
var svgPrologue = regexp.MustCompile(`^(` + byteOrderMark + `)?(\s|<\?xml\s[^>]*\?>|<!--(?s:.*?)-->|<!DOCTYPE\s[^>\[]*>)*<([\w.-]+:)?svg[\s/>]`)

func beginsSVG(b []byte) bool {
	return svgPrologue.Match(b) && bytes.Contains(b, []byte("http://www.w3.org/2000/svg"))
}

// extensionOf is one for each type, so that a type's name is enough to find the
// key again.
func extensionOf(mediaType string) string {
	if extension := mimetype.Lookup(mediaType).Extension(); isExtension(extension) {
		return extension
	}
	return ""
}

// inspect decides what the file is and whether it may be that. What h reads
// ahead stays in h.
func (s *Service) inspect(h *head, claimed string) (kind, *Error) {
	h.fill(sniffBytes)
	switch {
	case h.failure() != nil:
		return kind{}, h.interruptedError()
	case len(h.buf) == 0:
		return kind{}, refuse(Empty, "The file is empty.")
	}
	k := detect(h)
	if !slices.Contains(s.types, k.mediaType) {
		return k, s.notAllowed(k.mediaType, claimed)
	}
	e := s.inspectAs(h, &k)
	if h.failure() != nil {
		e = h.interruptedError()
	}
	return k, e
}

// aliases are of browsers and old programs, beside those that the detection
// knows.
var aliases = map[string]string{"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": typePNG, "image/svg": typeSVG}

// claimedType is the type that somebody says, as the detection names it; "" where
// it says nothing.
func claimedType(claimed string) string {
	name, _, err := mime.ParseMediaType(claimed)
	if err != nil || name == contentTypeOfPending {
		return ""
	}
	if other, ok := aliases[name]; ok {
		return other
	}
	if known := mimetype.Lookup(name); known != nil {
		return mediaTypeOf(known)
	}
	return name
}

func (s *Service) notAllowed(found, claimed string) *Error {
	words := "This kind of file cannot be uploaded"
	if found != "application/octet-stream" {
		words += " (it is " + typeName(found) + ")"
	}
	if claimed := claimedType(claimed); claimed != "" && claimed != found && slices.Contains(s.types, claimed) {
		words = "This file is not the " + typeName(claimed) + " that it claims to be"
	}
	return refuse(TypeNotAllowed, words+". Allowed: "+listTypes(s.types)+".")
}

// inspectAs looks behind the first bytes, which anybody can write.
func (s *Service) inspectAs(h *head, k *kind) *Error {
	if k.mediaType != typeSVG && hasMarkup(h.first(markupBytes)) {
		return refuse(ActiveContent, "This file has a web page or a program in it, and cannot be uploaded.")
	}
	look := inspectors[k.mediaType]
	if look == nil {
		return nil
	}
	width, height, refused := look(h)
	if refused != nil {
		return refused.refusal(k.mediaType)
	}
	if int64(width) > s.maxPixels/int64(max(height, 1)) {
		return refuse(TooManyPixels, fmt.Sprintf("The picture is too large: %d by %d pixels, and at most %d million together are allowed.",
			width, height, max(s.maxPixels/1e6, 1)))
	}
	k.width, k.height = width, height
	return nil
}
