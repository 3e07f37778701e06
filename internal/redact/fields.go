package redact

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

// Fields writes the fields of a struct, except those that are zero. If the parameter secret
// contains the name of a field, Fields writes REDACTED in place of the value. For a pointer,
// function or interface, which may lead to more secrets, it writes only the type.
func Fields(w io.Writer, of any, secret ...string) {
	var fields []string
	for field, value := range reflect.ValueOf(of).Fields() {
		var shown string
		kind := value.Kind()
		switch {
		case value.IsZero():
			continue
		case slices.Contains(secret, field.Name):
			shown = "REDACTED"
		case kind == reflect.Pointer || kind == reflect.Func || kind == reflect.Interface:
			shown = fmt.Sprintf("%T", value.Interface())
		default:
			shown = fmt.Sprintf("%+v", value)
		}
		fields = append(fields, field.Name+":"+shown)
	}
	_, _ = io.WriteString(w, "{"+strings.Join(fields, " ")+"}")
}
