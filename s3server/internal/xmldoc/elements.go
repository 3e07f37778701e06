package xmldoc

import (
	"encoding/xml"
	"errors"
	"reflect"
	"strings"
)

var errElement = errors.New("an element that is not in the type of the document, or is there twice")

// checkElements checks the elements inside the next element, which is decoded into a type. encoding/xml would
// ignore an element that has no field, and keep the last one of several. A struct without fields permits any
// elements.
func checkElements(decoder *xml.Decoder, of reflect.Type) error {
	for {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		if _, begins := token.(xml.StartElement); begins {
			return checkContent(decoder, of, map[reflect.Type]elements{})
		}
	}
}

// elements are the types of the elements of a struct, by their names.
type elements map[string]reflect.Type

func checkContent(decoder *xml.Decoder, of reflect.Type, known map[reflect.Type]elements) error {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	if of.Kind() == reflect.Struct && of.NumField() == 0 {
		return decoder.Skip()
	}
	if known[of] == nil {
		known[of] = elements{}
		known[of].add(of)
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
			element := known[of][name]
			if element == nil || seen[name] && element.Kind() != reflect.Slice {
				return errElement
			}
			seen[name] = true
			if err := checkContent(decoder, element, known); err != nil {
				return err
			}
		}
	}
}

// add adds the elements of a struct. Any other type has no elements.
func (e elements) add(of reflect.Type) {
	if of.Kind() != reflect.Struct {
		return
	}
	for field := range of.Fields() {
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
