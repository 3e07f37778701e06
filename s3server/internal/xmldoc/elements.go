package xmldoc

import (
	"encoding/xml"
	"errors"
	"reflect"
	"strings"
)

var errElement = errors.New("an element that is not in the type of the document, or is there twice")

// checkElements finds the top element of a document, and fails if it contains elements that encoding/xml would drop.
// These are elements for which the type has no field, and a second element for a field that is not a slice. A struct
// without fields permits any elements.
func checkElements(decoder *xml.Decoder, typ reflect.Type) error {
	for {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		// Comments and the like may come before the top element.
		_, isTop := token.(xml.StartElement)
		if isTop {
			return checkContent(decoder, typ, map[reflect.Type]elements{})
		}
	}
}

// elements maps the names of the XML elements of a struct to the types of their fields.
type elements map[string]reflect.Type

// checkContent checks that an element of a document contains only the elements that the type has, after the decoder has
// read its start tag. The cache has the elements of each type.
func checkContent(decoder *xml.Decoder, typ reflect.Type, cache map[reflect.Type]elements) error {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}

	// An element of a type without fields may contain anything.
	if typ.Kind() == reflect.Struct && typ.NumField() == 0 {
		return decoder.Skip()
	}

	if cache[typ] == nil {
		cache[typ] = elements{}
		cache[typ].add(typ)
	}

	seen := map[string]bool{}
	for {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			name := token.Name.Local
			element := cache[typ][name]

			if element == nil {
				return errElement
			}
			// Only an element whose field is a slice may occur several times.
			if seen[name] && element.Kind() != reflect.Slice {
				return errElement
			}
			seen[name] = true
			if err := checkContent(decoder, element, cache); err != nil {
				return err
			}
		}
	}
}

// add adds the elements that encoding/xml decodes into a struct of this type, by the rules of its field
// tags. It ignores any other type.
func (e elements) add(typ reflect.Type) {
	if typ.Kind() != reflect.Struct {
		return
	}
	for field := range typ.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("xml"), ",")
		switch {
		case field.Anonymous:
			// The elements of an embedded struct are elements of this one.
			e.add(field.Type)
		case name == "":
			e[field.Name] = field.Type
		case name != "-" && options != "attr" && field.Name != "XMLName":
			// The other fields are ignored, have an attribute, or have the name of the struct's own element.
			e[name] = field.Type
		}
	}
}
