package xmldoc

import (
	"encoding/xml"
	"errors"
	"reflect"
	"strings"
)

var errElement = errors.New("an element that is not in the type of the document, or is there twice")

// checkElements fails if the next element contains an element for which the type has no field. It
// also fails if an element occurs twice and its field is not a slice. encoding/xml would ignore an
// unknown element, and would keep only the last of two. A struct without fields permits any
// elements.
func checkElements(decoder *xml.Decoder, typ reflect.Type) error {
	for {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		if _, ok := token.(xml.StartElement); ok {
			return checkContent(decoder, typ, map[reflect.Type]elements{})
		}
	}
}

// elements maps the names of the XML elements of a struct to the types of their fields.
type elements map[string]reflect.Type

// checkContent is checkElements for the content of an element of this type, up to its end. The
// decoder has read the beginning of the element.
func checkContent(decoder *xml.Decoder, typ reflect.Type, cache map[reflect.Type]elements) error {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	if typ.Kind() == reflect.Struct && typ.NumField() == 0 {
		return decoder.Skip()
	}
	if cache[typ] == nil {
		cache[typ] = elements{}
		cache[typ].add(typ)
	}
	names := map[string]bool{}
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
			if element == nil || names[name] && element.Kind() != reflect.Slice {
				return errElement
			}
			names[name] = true
			if err := checkContent(decoder, element, cache); err != nil {
				return err
			}
		}
	}
}

// add adds the XML elements of a struct. It does nothing if the type is not a struct.
func (e elements) add(typ reflect.Type) {
	if typ.Kind() != reflect.Struct {
		return
	}
	for field := range typ.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("xml"), ",")
		switch {
		case field.Anonymous:
			e.add(field.Type)
		case name == "":
			e[field.Name] = field.Type
		case name != "-" && options != "attr" && field.Name != "XMLName":
			e[name] = field.Type
		}
	}
}
