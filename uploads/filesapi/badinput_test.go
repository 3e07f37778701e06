package filesapi_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// A formField is one part of a form, with its header verbatim.
type formField struct{ disposition, content string }

// newField returns a text field.
func newField(name, content string) formField {
	return formField{fmt.Sprintf(`form-data; name="%s"`, name), content}
}

// newFileField returns a file.
func newFileField(name, fileName, content string) formField {
	return formField{fmt.Sprintf(`form-data; name="%s"; filename="%s"`, name, fileName), content}
}

// newForm returns a form and its content type.
func newForm(t *testing.T, fields []formField) (io.Reader, string) {
	t.Helper()

	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, field := range fields {
		part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {field.disposition}})
		require.NoError(t, err)
		_, err = io.WriteString(part, field.content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return &body, w.FormDataContentType()
}

// A badForm is a form that must be refused.
type badForm struct {
	name   string
	fields []formField
	status int
	field  string
	code   uploads.Code
}

// requireRefusesForms requires that the handler refuses each form, and stores nothing of it.
func (a *api) requireRefusesForms(t *testing.T, path string, forms []badForm) {
	t.Helper()
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			body, contentType := newForm(t, form.fields)
			a.do(t, "POST", path, contentType, body).requireProblem(t, form.status, form.field, form.code)
			require.Empty(t, keysUnder(t, a.fixture.bucket, "files/client/"))
			require.Empty(t, keysUnder(t, a.fixture.bucket, "files/expiry/"))
			require.Empty(t, keysUnder(t, a.fixture.bucket, "files/records/"))
		})
	}
	require.Empty(t, a.serverErrors, "none of it is the server's fault")
}

// badRequest is the status of the response to most malformed requests.
const badRequest = http.StatusBadRequest

// validFile is a valid file.
var validFile = newFileField("file", "a.txt", "content")

// withName returns a form whose file has this name.
func withName(name string) []formField { return []formField{newFileField("file", name, "content")} }

// badNames are file names as they are sent in a form.
var badNames = map[string]string{
	"a path":                     "a/b.txt",
	"a path upwards":             "../../etc/passwd",
	"a path of Windows":          `C:\Windows\system.ini`,
	"a directory":                "..",
	"spaces":                     "   ",
	"nothing":                    "",
	"a NUL":                      "a\x00b.txt",
	"an escape":                  "a\x1b[31mb.txt",
	"DEL":                        "a\x7fb.txt",
	"a C1 control":               "a\u0085b.txt",
	"a right-to-left override":   "a\u202egpj.exe",
	"a right-to-left isolate":    "a\u2067b.txt",
	"bytes that are not text":    "a\xff\xfeb.txt",
	"1,001 characters":           strings.Repeat("é", 1001),
	"10,000 characters":          strings.Repeat("x", 10_000),
	"10,000 Japanese characters": strings.Repeat("日", 10_000),
}

// The handler refuses malformed upload forms, and names the field and the code of the fault.
func TestHandlerRefusesUploads(t *testing.T) {
	formsOfPath := map[string][]badForm{"/files": badUploadForms(), "/temp-files": badTempForms()}
	for path, forms := range formsOfPath {
		t.Run(path, func(t *testing.T) {
			f := newMemoryFixture(t, filesapi.StoreConfig{})
			api := newAPI(t, f, filesapi.HandlerConfig{MaxUploadSize: maxFormUpload})
			api.requireRefusesForms(t, path, forms)
		})
	}
}

// maxFormUpload is the largest file of a form, in bytes.
const maxFormUpload = 1 << 20

// badUploadForms returns malformed forms that upload a client file.
func badUploadForms() []badForm {
	forms := []badForm{
		{name: "no fields", status: badRequest, field: "file", code: uploads.InvalidValue},
		{name: "no file", fields: []formField{newField("Purpose", "x")}, status: badRequest, field: "file", code: uploads.InvalidValue},
		{name: "a file that is text", fields: []formField{newField("file", "x")}, status: badRequest, field: "file", code: uploads.InvalidValue},
		{
			name:   "a line end in its header",
			fields: []formField{{disposition: "form-data; name=\"a\rb\"", content: "x"}, validFile},
			status: badRequest,
			field:  "Content-Disposition",
			code:   uploads.InvalidRequest,
		},
		{name: "two files", fields: []formField{validFile, validFile}, status: badRequest, field: "file", code: uploads.InvalidRequest},
		{
			name:   "an unknown field after the file",
			fields: []formField{validFile, newField("Porpoise", "x")},
			status: badRequest,
			field:  "Porpoise",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "a purpose before the file and one after",
			fields: []formField{newField("Purpose", "x"), validFile, newField("Purpose", "x")},
			status: badRequest,
			field:  "Purpose",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "two purposes after the file",
			fields: []formField{validFile, newField("Purpose", "x"), newField("Purpose", "x")},
			status: badRequest,
			field:  "Purpose",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "a purpose with a control character after the file",
			fields: []formField{validFile, newField("Purpose", "a\x00b")},
			status: badRequest,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
		{
			name:   "a purpose of 10,000 characters after the file",
			fields: []formField{validFile, newField("Purpose", strings.Repeat("x", 10_000))},
			status: badRequest,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
		{
			name:   "a purpose of 1 MiB after the file",
			fields: []formField{validFile, newField("Purpose", strings.Repeat("x", 1<<20))},
			status: http.StatusRequestEntityTooLarge,
			field:  "Purpose",
			code:   uploads.TooLarge,
		},
		{
			name:   "an unknown field",
			fields: []formField{newField("Porpoise", "x"), validFile},
			status: badRequest,
			field:  "Porpoise",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "a field of another case",
			fields: []formField{newField("purpose", "x"), validFile},
			status: badRequest,
			field:  "purpose",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "a field without a name",
			fields: []formField{{disposition: "form-data", content: "x"}, validFile},
			status: badRequest,
			field:  "Content-Disposition",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "a field without a disposition",
			fields: []formField{{disposition: "", content: "x"}, validFile},
			status: badRequest,
			field:  "Content-Disposition",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "two purposes",
			fields: []formField{newField("Purpose", "x"), newField("Purpose", "x"), validFile},
			status: badRequest,
			field:  "Purpose",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "a purpose that is a file",
			fields: []formField{newFileField("Purpose", "a.txt", "x"), validFile},
			status: badRequest,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
		{
			name:   "a purpose with a control character",
			fields: []formField{newField("Purpose", "a\x00b"), validFile},
			status: badRequest,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
		{
			name:   "a purpose that is not text",
			fields: []formField{newField("Purpose", "\xff"), validFile},
			status: badRequest,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
		{
			name:   "a purpose of 10,000 characters",
			fields: []formField{newField("Purpose", strings.Repeat("x", 10_000)), validFile},
			status: badRequest,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
		{
			name:   "a purpose of 1 MiB",
			fields: []formField{newField("Purpose", strings.Repeat("x", 1<<20)), validFile},
			status: http.StatusRequestEntityTooLarge,
			field:  "Purpose",
			code:   uploads.TooLarge,
		},
		{
			name:   "a file that is too large",
			fields: withContent(maxFormUpload + 1),
			status: http.StatusRequestEntityTooLarge,
			field:  "file",
			code:   uploads.TooLarge,
		},
		{
			name:   "a name of 1 MiB",
			fields: withName(strings.Repeat("x", 1<<20)),
			status: http.StatusRequestEntityTooLarge,
			field:  "file",
			code:   uploads.TooLarge,
		},
		{
			name:   "a name of 20,000 emoji",
			fields: withName(strings.Repeat("🦄", 20_000)),
			status: http.StatusRequestEntityTooLarge,
			field:  "file",
			code:   uploads.TooLarge,
		},
	}
	for name, value := range badNames {
		forms = append(forms, badForm{
			name:   "a name of " + name,
			fields: withName(value),
			status: badRequest,
			field:  "file",
			code:   uploads.InvalidValue,
		})
	}
	return forms
}

// badTempForms returns malformed forms that upload a temp file, which has no purpose.
func badTempForms() []badForm {
	tempForms := []badForm{
		{name: "no fields", status: badRequest, field: "file", code: uploads.InvalidValue},
		{
			name:   "a purpose",
			fields: []formField{newField("Purpose", "x"), validFile},
			status: badRequest,
			field:  "Purpose",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "a purpose after the file",
			fields: []formField{validFile, newField("Purpose", "x")},
			status: badRequest,
			field:  "Purpose",
			code:   uploads.InvalidRequest,
		},
	}

	// A file that is refused as a client file is also refused as a temp file.
	for _, form := range badUploadForms() {
		if form.field == "file" && !strings.HasPrefix(form.name, "no ") {
			tempForms = append(tempForms, form)
		}
	}
	return tempForms
}

// withContent returns a form whose file has this size.
func withContent(size int) []formField {
	return []formField{newFileField("file", "a.txt", strings.Repeat("x", size))}
}

// partForm returns the valid form of a part, without the fields of these names.
func partForm(without ...string) []formField {
	var fields []formField
	for _, field := range []struct{ name, content string }{
		{name: "originalFileName", content: "a.txt"},
		{name: "token", content: "token-1234"},
		{name: "count", content: "3"},
		{name: "part", content: "1"},
	} {
		if !slices.Contains(without, field.name) {
			fields = append(fields, newField(field.name, field.content))
		}
	}
	if !slices.Contains(without, "file") {
		fields = append(fields, validFile)
	}
	return fields
}

// partFormWith returns the form of a part in which one field has another content.
func partFormWith(name, content string) []formField {
	return append([]formField{newField(name, content)}, partForm(name)...)
}

// The handler refuses a malformed form of a part, and names the field and the code of its fault.
func TestHandlerRefusesParts(t *testing.T) {
	for _, path := range []string{"/files/parts", "/temp-files/parts"} {
		t.Run(path, func(t *testing.T) {
			f := newMemoryFixture(t, filesapi.StoreConfig{})
			api := newAPI(t, f, filesapi.HandlerConfig{MaxUploadSize: maxFormUpload})
			api.requireRefusesForms(t, path, badPartForms())
		})
	}
}

// badPartForms returns malformed forms of a part.
func badPartForms() []badForm {
	var forms []badForm
	addInvalid := func(name, field string, fields []formField) {
		forms = append(forms, badForm{name: name, fields: fields, status: badRequest, field: field, code: uploads.InvalidValue})
	}
	addMalformed := func(name, field string, fields []formField) {
		forms = append(forms, badForm{name: name, fields: fields, status: badRequest, field: field, code: uploads.InvalidRequest})
	}
	addTooLarge := func(name, field string, fields []formField) {
		forms = append(forms, badForm{
			name:   name,
			fields: fields,
			status: http.StatusRequestEntityTooLarge,
			field:  field,
			code:   uploads.TooLarge,
		})
	}

	// Each field must be in the form once, as text, and before the file.
	for _, field := range []string{"originalFileName", "token", "count", "part"} {
		addInvalid("no "+field, field, partForm(field))
		addInvalid("an empty "+field, field, partFormWith(field, ""))
		addMalformed("two of "+field, field, append([]formField{newField(field, "1")}, partForm()...))
		addInvalid(field+" as a file", field, append([]formField{newFileField(field, "a.txt", "1")}, partForm(field)...))
		addInvalid(field+" after the file", field, append(partForm(field), newField(field, "1")))
		addTooLarge(field+" of 1 MiB", field, partFormWith(field, strings.Repeat("1", 1<<20)))
	}
	addInvalid("no file", "file", partForm("file"))
	addMalformed("an unknown field", "size", partFormWith("size", "1"))
	addMalformed("a field after the file", "Purpose", append(partForm(), newField("Purpose", "x")))

	// Each field must have a valid value.
	for _, field := range []string{"count", "part"} {
		for _, number := range []string{
			"0", "-1", "+1", "1.0", "1e3", "0x1", " 1", "one", "null", "true", "10001", "2147483648",
			"18446744073709551617", strings.Repeat("9", 10_000), "１",
		} {
			addInvalid(field+" as "+number[:min(20, len(number))], field, partFormWith(field, number))
		}
	}
	addInvalid("a part after the last", "part", partFormWith("part", "4"))
	for _, token := range []string{
		"1234567", strings.Repeat("x", 129), "../../secret", "with spaces", "12345678\x00", "éééééééé",
	} {
		addInvalid(fmt.Sprintf("token %.20q", token), "token", partFormWith("token", token))
	}
	for name, value := range badNames {
		addInvalid("a name of "+name, "originalFileName", partFormWith("originalFileName", value))
	}

	// The form has the long name twice: as a text field, and as the name of its file.
	emoji := strings.Repeat("🦄", 10_000)
	longNames := append([]formField{newField("originalFileName", emoji)}, partForm("originalFileName", "file")...)
	longNames = append(longNames, newFileField("file", emoji, "x"))
	addTooLarge("a name of 10,000 emoji, twice", "originalFileName", longNames)
	return forms
}

// The handler refuses uploads whose body is not a multipart form.
func TestHandlerRefusesBodiesOfOtherKind(t *testing.T) {
	api := newAPI(t, newMemoryFixture(t, filesapi.StoreConfig{}), filesapi.HandlerConfig{})
	for _, contentType := range []string{
		"",
		"application/json",
		"multipart/form-data",
		"multipart/mixed; boundary=x",
		"application/x-www-form-urlencoded",
		"a; b; c",
	} {
		for _, path := range []string{"/files", "/files/parts", "/temp-files", "/temp-files/parts"} {
			resp := api.do(t, "POST", path, contentType, strings.NewReader("file=x"))
			resp.requireProblem(t, badRequest, "Content-Type", uploads.InvalidRequest)
		}
	}

	// The content type is that of a form, but the body is not a form.
	const form = "multipart/form-data; boundary=x"
	noForm := strings.NewReader("no form at all")
	api.do(t, "POST", "/files", form, noForm).requireProblem(t, badRequest, "", uploads.Interrupted)
	api.do(t, "POST", "/files", form, nil).requireProblem(t, badRequest, "", uploads.Interrupted)
}

// The handler stores nothing of a form that is cut off, wherever the form is cut.
func TestHandlerStoresNothingOfATruncatedForm(t *testing.T) {
	api := newAPI(t, newMemoryFixture(t, filesapi.StoreConfig{}), filesapi.HandlerConfig{})
	body, contentType := newForm(t, withContent(100_000))
	text, err := io.ReadAll(body)
	require.NoError(t, err)
	for _, cut := range []int{3, 4, 5, 10, 1000, 99_999, len(text) - 20} {
		truncated := bytes.NewReader(text[:len(text)-cut])
		resp := api.do(t, "POST", "/files", contentType, truncated)
		require.Equal(t, badRequest, resp.status, "without its last %d bytes: %s", cut, resp.body)
		require.Empty(t, keysUnder(t, api.fixture.bucket, "files/"))
	}
}

// The handler refuses malformed JSON documents that delete files or set a purpose, and names the field and the code of
// the fault.
func TestHandlerRefusesDocuments(t *testing.T) {
	const maxDelete = 3 // files in one request
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	api := newAPI(t, f, filesapi.HandlerConfig{MaxDelete: maxDelete})
	id := f.upload(t, "x").ID

	deletions := []struct {
		name   string
		body   string
		status int
		field  string
		code   uploads.Code
	}{
		{name: "no field", body: `{}`, status: badRequest, field: "Items", code: uploads.InvalidValue},
		{name: "an empty list", body: `{"Items": []}`, status: badRequest, field: "Items", code: uploads.InvalidValue},
		{name: "null", body: `{"Items": null}`, status: badRequest, field: "Items", code: uploads.InvalidValue},
		{name: "a text", body: `{"Items": "x"}`, status: badRequest, field: "Items", code: uploads.InvalidValue},
		{
			name:   "a number in the list",
			body:   `{"Items": [7]}`,
			status: badRequest,
			field:  "Items",
			code:   uploads.InvalidValue,
		},
		{
			name:   "too many IDs",
			body:   `{"Items": ["` + strings.Repeat(id+`","`, maxDelete) + id + `"]}`,
			status: badRequest,
			field:  "Items",
			code:   uploads.InvalidValue,
		},
		{
			name:   "the field twice",
			body:   `{"Items": ["` + id + `"], "Items": ["` + id + `"]}`,
			status: badRequest,
			field:  "Items",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "another field",
			body:   `{"Items": ["` + id + `"], "Force": true}`,
			status: badRequest,
			field:  "Force",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "the field in lower case",
			body:   `{"items": ["` + id + `"]}`,
			status: badRequest,
			field:  "items",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "a list in place of an object",
			body:   `["` + id + `"]`,
			status: badRequest,
			field:  "Items",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "two objects",
			body:   `{"Items": ["` + id + `"]}{}`,
			status: badRequest,
			field:  "Items",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "half an object",
			body:   `{"Items": ["` + id,
			status: badRequest,
			field:  "Items",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "bytes that are not text",
			body:   "{\"Items\": [\"\xff\"]}",
			status: badRequest,
			field:  "Items",
			code:   uploads.InvalidRequest,
		},
		{name: "an empty body", body: ``, status: badRequest, field: "Items", code: uploads.InvalidRequest},
		{
			name:   "1 MiB",
			body:   `{"Items": ["` + strings.Repeat("x", 1<<20) + `"]}`,
			status: http.StatusRequestEntityTooLarge,
			field:  "Items",
			code:   uploads.TooLarge,
		},
	}
	for _, tt := range deletions {
		t.Run("deletion: "+tt.name, func(t *testing.T) {
			resp := api.do(t, "POST", "/files/delete", "application/json", strings.NewReader(tt.body))
			resp.requireProblem(t, tt.status, tt.field, tt.code)
		})
	}

	purposes := []struct {
		name   string
		body   string
		status int
		field  string
		code   uploads.Code
	}{
		{
			name:   "a purpose that is not text",
			body:   "{\"Purpose\": \"\xff\"}",
			status: badRequest,
			field:  "Purpose",
			code:   uploads.InvalidRequest,
		},
		{name: "no purpose", body: `{}`, status: badRequest, field: "Purpose", code: uploads.InvalidValue},
		{
			name:   "a null purpose",
			body:   `{"Purpose": null}`,
			status: badRequest,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
		{name: "a number", body: `{"Purpose": 7}`, status: badRequest, field: "Purpose", code: uploads.InvalidValue},
		{name: "a list", body: `{"Purpose": ["a"]}`, status: badRequest, field: "Purpose", code: uploads.InvalidValue},
		{
			name:   "two purposes",
			body:   `{"Purpose": "a", "Purpose": "b"}`,
			status: badRequest,
			field:  "Purpose",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "a control character",
			body:   `{"Purpose": "a\u0000b"}`,
			status: badRequest,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
		{
			name:   "a right-to-left override",
			body:   `{"Purpose": "a\u202eb"}`,
			status: badRequest,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
		{
			name:   "10,000 characters",
			body:   `{"Purpose": "` + strings.Repeat("x", 10_000) + `"}`,
			status: badRequest,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
	}
	for _, tt := range purposes {
		t.Run("purpose: "+tt.name, func(t *testing.T) {
			path := "/files/" + id + "/purpose"
			resp := api.do(t, "PUT", path, "application/json", strings.NewReader(tt.body))
			resp.requireProblem(t, tt.status, tt.field, tt.code)
		})
	}

	// A document of another type is refused, too.
	resp := api.do(t, "POST", "/files/delete", "text/plain", strings.NewReader(`{"Items": ["`+id+`"]}`))
	resp.requireProblem(t, badRequest, "Content-Type", uploads.InvalidRequest)
	require.Empty(t, api.serverErrors)

	// Nothing was deleted or changed.
	record, err := f.store.Details(t.Context(), id)
	require.NoError(t, err)
	require.Empty(t, record.Purpose)
}

// The handler refuses a malformed query of the list of files, and names the parameter and the code of its fault.
func TestHandlerRefusesQueries(t *testing.T) {
	api := newAPI(t, newMemoryFixture(t, filesapi.StoreConfig{}), filesapi.HandlerConfig{})
	tests := []struct {
		query string
		field string
		code  uploads.Code
	}{
		{query: "pageSize=0", field: "pageSize", code: uploads.InvalidValue},
		{query: "pageSize=-1", field: "pageSize", code: uploads.InvalidValue},
		{query: "pageSize=many", field: "pageSize", code: uploads.InvalidValue},
		{query: "pageSize=", field: "pageSize", code: uploads.InvalidValue},
		{query: "pageSize=99999999999999999999", field: "pageSize", code: uploads.InvalidValue},
		{query: "pageSize=1&pageSize=2", field: "pageSize", code: uploads.InvalidRequest},
		{query: "pageToken=nonsense", field: "pageToken", code: uploads.InvalidValue},
		{query: "pageToken=" + strings.Repeat("x", 10_000), field: "pageToken", code: uploads.InvalidValue},
		{query: "purpose=", field: "purpose", code: uploads.InvalidValue},
		{query: "uploadedBy=", field: "uploadedBy", code: uploads.InvalidValue},
		{query: "from=", field: "from", code: uploads.InvalidValue},
		{query: "to=0001-01-01T00:00:00Z", field: "to", code: uploads.InvalidValue},
		{query: "from=0001-01-01T01:00:00%2B01:00", field: "from", code: uploads.InvalidValue},
		{query: "from=yesterday", field: "from", code: uploads.InvalidValue},
		{query: "to=2026-11-20", field: "to", code: uploads.InvalidValue},
		{query: "from=2026-11-21T00:00:00Z&to=2026-11-20T00:00:00Z", field: "from", code: uploads.InvalidValue},
		{query: "purpose=a&purpose=b", field: "purpose", code: uploads.InvalidRequest},
		{query: "purpose=%00", field: "purpose", code: uploads.InvalidValue},
		{query: "uploadedBy=%ff", field: "uploadedBy", code: uploads.InvalidValue},
		{query: "uploadedBy=" + strings.Repeat("x", 10_000), field: "uploadedBy", code: uploads.InvalidValue},
		{query: "porpoise=x", field: "porpoise", code: uploads.InvalidRequest},
		{query: "purpose=%zz", field: "", code: uploads.InvalidRequest},
	}
	for _, tt := range tests {
		t.Run(tt.query[:min(40, len(tt.query))], func(t *testing.T) {
			api.get(t, "/files?"+tt.query).requireProblem(t, badRequest, tt.field, tt.code)
		})
	}
}
