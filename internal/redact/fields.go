package redact

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

// Fields writes the fields of a struct that are not zero.
//
// It writes REDACTED in place of the fields that secret names, and only the type of a pointer,
// function or interface, which may lead to more secrets.
func Fields(w io.Writer, v any, secret ...string) {
	var fields []string
	for field, value := range reflect.ValueOf(v).Fields() {
		var text string
		kind := value.Kind()
		switch {
		case value.IsZero():
			continue
		case slices.Contains(secret, field.Name):
			text = "REDACTED"
		case kind == reflect.Pointer || kind == reflect.Func || kind == reflect.Interface:
			text = fmt.Sprintf("%T", value.Interface())
		default:
			text = fmt.Sprintf("%+v", value)
		}
		fields = append(fields, field.Name+":"+text)
	}
	_, _ = io.WriteString(w, "{"+strings.Join(fields, " ")+"}")
}
