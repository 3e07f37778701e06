package rules

import (
	"encoding/xml"
	"regexp"
	"slices"
	"strings"
)

// activeElements lists the elements of SVG that run or fetch something, or that may contain such
// elements.
var activeElements = []string{
	"script", "foreignobject", "iframe", "object", "embed", "handler", "listener", "link",
	"audio", "video", "canvas", "html", "body", "meta", "base", "form",
}

var (
	// plainAttributes lists attributes whose value is never a style or an address.
	plainAttributes = []string{"id", "class", "d", "points", "unicode", "glyph-name"}
	// addressAttributes lists attributes whose value is an address.
	addressAttributes = []string{"href", "src", "ping", "srcset", "poster", "action", "formaction", "data", "background"}
	// animationAttributes lists attributes of animations whose value may be an address.
	animationAttributes = []string{"from", "to", "values", "by"}
	// wordAttributes lists attributes whose value is text for people, or a time. Such a value may
	// look like a function of CSS.
	wordAttributes = []string{"title", "name", "label", "alt", "content", "desc", "begin", "end"}
)

// elementReason returns the reason to refuse an element or one of its attributes, or nil.
func elementReason(e xml.StartElement) *reason {
	if slices.Contains(activeElements, strings.ToLower(e.Name.Local)) {
		return activeContent
	}
	for _, a := range e.Attr {
		if problem := attributeReason(a); problem != nil {
			return problem
		}
	}
	return nil
}

// attributeReason returns the reason to refuse an attribute, or nil.
func attributeReason(a xml.Attr) *reason {
	name := strings.ToLower(a.Name.Local)
	value := withoutSpaces(a.Value)
	// An event handler is a program.
	if strings.HasPrefix(name, "on") {
		return activeContent
	}

	// The namespace of HTML would make active elements possible.
	if a.Name.Space == "xmlns" || name == "xmlns" {
		if value == "http://www.w3.org/1999/xhtml" {
			return activeContent
		}
		return nil
	}

	// With xml:base, #name refers to another document.
	if name == "base" {
		return externalReference
	}
	if slices.Contains(addressAttributes, name) {
		return addressReason(value)
	}

	if slices.Contains(animationAttributes, name) {
		return animationReason(a.Value)
	}
	if name == "attributename" {
		return animatedReason(value)
	}
	if slices.Contains(plainAttributes, name) {
		return nil
	}

	// Browsers read the functions of CSS only in some attributes.
	if isStyle(a.Name.Space, name) {
		return styleReason(a.Value)
	}
	return referenceReason(a.Value)
}

// animationReason returns the reason to refuse a value that an animation gives to another attribute, or nil. The other
// attribute may be one that has an address.
func animationReason(text string) *reason {
	value := withoutSpaces(text)
	if strings.Contains(value, "script:") {
		return activeContent
	}
	// The address of another host has "//".
	if strings.Contains(value, "data:") || strings.Contains(value, "//") {
		return externalReference
	}

	return styleReason(text)
}

// animatedReason returns the reason to refuse an animation of the attribute with this name, or nil. An animation must
// not set a reference or an event handler.
func animatedReason(attribute string) *reason {
	if strings.HasSuffix(attribute, "href") || strings.HasPrefix(attribute, "on") {
		return activeContent
	}
	return nil
}

// isStyle reports whether an attribute with this name may hold a CSS property.
func isStyle(space, name string) bool {
	if space != "" || slices.Contains(wordAttributes, name) {
		return false
	}
	return !strings.HasPrefix(name, "data-") && !strings.HasPrefix(name, "aria-")
}

// withoutSpaces returns text in lower case, and without the spaces and control characters that browsers
// ignore in addresses.
func withoutSpaces(text string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		const deleteCharacter = 0x7F
		if r <= ' ' || r == deleteCharacter {
			return -1 // drop the character
		}
		return r
	}, text))
}

// addressReason refuses any address, as withoutSpaces returns it, that is neither a reference to the
// document itself nor a raster picture.
func addressReason(address string) *reason {
	if address == "" || address[0] == '#' { // the document itself
		return nil
	}
	if strings.Contains(address, "script:") {
		return activeContent
	}
	if isPicture(address) {
		return nil
	}
	return externalReference
}

// isPicture reports whether the address is a data URL with a raster picture.
func isPicture(address string) bool {
	pictures := []string{"data:image/png;", "data:image/jpeg;", "data:image/gif;", "data:image/webp;"}
	return slices.ContainsFunc(pictures, func(picture string) bool { return strings.HasPrefix(address, picture) })
}

// cssFunction matches a function's name, and its arguments if they are bare words.
var cssFunction = regexp.MustCompile(`([-\w\x{80}-\x{10FFFF}]+)\(([-\w\s.,%]*\))?`)

// harmlessFunctions has the CSS functions that fetch nothing. The address in url(...) is checked
// separately.
var harmlessFunctions = wordSet(`
	url rgb rgba hsl hsla hwb lab lch oklab oklch color color-mix light-dark device-cmyk icc-color
	calc min max clamp abs round mod rem sin cos tan asin acos atan atan2 sqrt pow hypot exp log sign var env attr
	matrix matrix3d translate translatex translatey translatez translate3d
	scale scalex scaley scalez scale3d rotate rotatex rotatey rotatez rotate3d skew skewx skewy perspective
	blur brightness contrast drop-shadow grayscale hue-rotate invert opacity saturate sepia
	inset circle ellipse polygon path rect xywh shape ray
	linear-gradient radial-gradient conic-gradient repeating-linear-gradient repeating-radial-gradient repeating-conic-gradient
	cubic-bezier steps linear format tech local rect counter counters alpha
	not is where has nth-child nth-last-child nth-of-type nth-last-of-type lang dir host and or
	media supports container layer scope selector style`)

// wordSet returns the set of the words in a list, which are separated by spaces.
func wordSet(list string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(list) {
		set[word] = true
	}
	return set
}

// styleReason returns the reason to refuse a CSS text, or nil. It refuses what referenceReason refuses, and functions
// that it does not know. For example, image-set fetches a picture without url. A function whose arguments are only
// words, such as "icon(s)", cannot fetch anything.
func styleReason(text string) *reason {
	if problem := referenceReason(text); problem != nil {
		return problem
	}
	for _, match := range cssFunction.FindAllStringSubmatch(strings.ToLower(text), -1) {
		name := match[1]
		hasOnlyWords := match[2] != ""
		if !hasOnlyWords && !harmlessFunctions[name] {
			return externalReference
		}
	}
	return nil
}

// referenceReason returns the reason to refuse the value of an attribute, or nil. The value may be a style that runs a
// program, or that refers to anything except the document itself and raster pictures.
func referenceReason(text string) *reason {
	// Browsers ignore some spaces.
	tight := withoutSpaces(text)
	// A backslash can hide letters.
	for _, forbidden := range []string{"javascript:", "expression(", "-moz-binding", `\`} {
		if strings.Contains(tight, forbidden) {
			return activeContent
		}
	}
	if strings.Contains(tight, "@import") {
		return externalReference
	}
	return urlReason(tight)
}

// urlReason checks the address of every url(...) in a text that withoutSpaces has returned. An address may be a
// reference to the document itself or a raster picture.
func urlReason(text string) *reason {
	rest := text
	mustSearch := true // true until the rest of the text was searched for a script
	for {
		_, target, found := strings.Cut(rest, "url(")
		if !found {
			return nil
		}
		rest = target

		// The address is not cut off at its end, but extends to the end of the text.
		address := strings.TrimLeft(target, `"'`)
		if address == "" || address[0] == '#' {
			continue
		}
		// The text after the first address includes all later ones, so search it only once. That keeps the time
		// linear in the length of the text.
		if mustSearch && strings.Contains(address, "script:") {
			return activeContent
		}
		mustSearch = false
		if !isPicture(address) {
			return externalReference
		}
	}
}
