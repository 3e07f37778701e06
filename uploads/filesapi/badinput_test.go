package filesapi_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// A piece is one part of a form, with its header verbatim.
type piece struct{ disposition, content string }

func value(name, content string) piece {
	return piece{fmt.Sprintf(`form-data; name="%s"`, name), content}
}

func attached(name, fileName, content string) piece {
	return piece{fmt.Sprintf(`form-data; name="%s"; filename="%s"`, name, fileName), content}
}

// newForm returns a form and its content type.
func newForm(t *testing.T, pieces []piece) (io.Reader, string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range pieces {
		part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {p.disposition}})
		require.NoError(t, err)
		_, err = io.WriteString(part, p.content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return &b, w.FormDataContentType()
}

// A badForm is a form that must be refused.
type badForm struct {
	name   string
	pieces []piece
	status int
	field  string
	code   uploads.Code
}

func (a *api) refuses(t *testing.T, path string, forms []badForm) {
	t.Helper()
	for _, row := range forms {
		t.Run(row.name, func(t *testing.T) {
			body, contentType := newForm(t, row.pieces)
			a.ask(t, "POST", path, contentType, body).problem(t, row.status, row.field, row.code)
			require.Empty(t, keysUnder(t, a.fixture.bucket, "files/client/"))
			require.Empty(t, keysUnder(t, a.fixture.bucket, "files/expiry/"))
			require.Empty(t, keysUnder(t, a.fixture.bucket, "files/records/"))
		})
	}
	require.Empty(t, a.hidden, "none of it is the server's fault")
}

const bad = http.StatusBadRequest

var theFile = attached("file", "a.txt", "content")

func withName(name string) []piece { return []piece{attached("file", name, "content")} }

// badNames are file names as they are sent in a form.
var badNames = map[string]string{
	"a path":                         "a/b.txt",
	"a path upwards":                 "../../etc/passwd",
	"a path of Windows":              `C:\Windows\system.ini`,
	"a directory":                    "..",
	"spaces":                         "   ",
	"nothing":                        "",
	"a NUL":                          "a\x00b.txt",
	"an escape":                      "a\x1b[31mb.txt",
	"DEL":                            "a\x7fb.txt",
	"a C1 control":                   "a\u0085b.txt",
	"a right-to-left override":       "a\u202egpj.exe",
	"a right-to-left isolate":        "a\u2067b.txt",
	"bytes that are not text":        "a\xff\xfeb.txt",
	"1,001 characters":               strings.Repeat("é", 1001),
	"10,000 characters":              strings.Repeat("x", 10_000),
	"10,000 characters of other ink": strings.Repeat("日", 10_000),
}

// The handler refuses malformed upload forms, with the field and the code of the fault.
func TestHandlerRefusesUploads(t *testing.T) {
	rows := []badForm{
		{name: "no fields", status: bad, field: "file", code: uploads.InvalidValue},
		{name: "no file", pieces: []piece{value("Purpose", "x")}, status: bad, field: "file", code: uploads.InvalidValue},
		{name: "a file that is text", pieces: []piece{value("file", "x")}, status: bad, field: "file", code: uploads.InvalidValue},
		{
			name:   "a line end in its header",
			pieces: []piece{{"form-data; name=\"a\rb\"", "x"}, theFile},
			status: bad,
			field:  "Content-Disposition",
			code:   uploads.InvalidRequest,
		},
		{name: "two files", pieces: []piece{theFile, theFile}, status: bad, field: "file", code: uploads.InvalidRequest},
		{
			name:   "a field that is none after the file",
			pieces: []piece{theFile, value("Porpoise", "x")},
			status: bad,
			field:  "Porpoise",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "a purpose before the file and one after",
			pieces: []piece{value("Purpose", "x"), theFile, value("Purpose", "x")},
			status: bad,
			field:  "Purpose",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "two purposes after the file",
			pieces: []piece{theFile, value("Purpose", "x"), value("Purpose", "x")},
			status: bad,
			field:  "Purpose",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "a purpose with a control character after the file",
			pieces: []piece{theFile, value("Purpose", "a\x00b")},
			status: bad,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
		{
			name:   "a purpose of 10,000 characters after the file",
			pieces: []piece{theFile, value("Purpose", strings.Repeat("x", 10_000))},
			status: bad,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
		{
			name:   "a purpose of 1 MiB after the file",
			pieces: []piece{theFile, value("Purpose", strings.Repeat("x", 1<<20))},
			status: http.StatusRequestEntityTooLarge,
			field:  "Purpose",
			code:   uploads.TooLarge,
		},
		{
			name:   "a field that is none",
			pieces: []piece{value("Porpoise", "x"), theFile},
			status: bad,
			field:  "Porpoise",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "a field of another case",
			pieces: []piece{value("purpose", "x"), theFile},
			status: bad,
			field:  "purpose",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "a field without a name",
			pieces: []piece{{"form-data", "x"}, theFile},
			status: bad,
			field:  "Content-Disposition",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "a field without a disposition",
			pieces: []piece{{"", "x"}, theFile},
			status: bad,
			field:  "Content-Disposition",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "two purposes",
			pieces: []piece{value("Purpose", "x"), value("Purpose", "x"), theFile},
			status: bad,
			field:  "Purpose",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "a purpose that is a file",
			pieces: []piece{attached("Purpose", "a.txt", "x"), theFile},
			status: bad,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
		{
			name:   "a purpose with a control character",
			pieces: []piece{value("Purpose", "a\x00b"), theFile},
			status: bad,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
		{
			name:   "a purpose that is not text",
			pieces: []piece{value("Purpose", "\xff"), theFile},
			status: bad,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
		{
			name:   "a purpose of 10,000 characters",
			pieces: []piece{value("Purpose", strings.Repeat("x", 10_000)), theFile},
			status: bad,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
		{
			name:   "a purpose of 1 MiB",
			pieces: []piece{value("Purpose", strings.Repeat("x", 1<<20)), theFile},
			status: http.StatusRequestEntityTooLarge,
			field:  "Purpose",
			code:   uploads.TooLarge,
		},
		{
			name:   "a file that is too large",
			pieces: withContent(1<<20 + 1),
			status: http.StatusRequestEntityTooLarge,
			field:  "file",
			code:   uploads.TooLarge,
		},
		{
			name:   "a name of 1 MiB",
			pieces: withName(strings.Repeat("x", 1<<20)),
			status: http.StatusRequestEntityTooLarge,
			field:  "file",
			code:   uploads.TooLarge,
		},
		{
			name:   "a name of 20,000 emoji",
			pieces: withName(strings.Repeat("🦄", 20_000)),
			status: http.StatusRequestEntityTooLarge,
			field:  "file",
			code:   uploads.TooLarge,
		},
	}
	for name, value := range badNames {
		rows = append(rows, badForm{"a name of " + name, withName(value), bad, "file", uploads.InvalidValue})
	}
	for _, path := range []string{"/files", "/temp-files"} {
		t.Run(path, func(t *testing.T) {
			forms := rows
			if path == "/temp-files" {
				forms = []badForm{{name: "no fields", status: bad, field: "file", code: uploads.InvalidValue}, {
					name:   "a purpose",
					pieces: []piece{value("Purpose", "x"), theFile},
					status: bad,
					field:  "Purpose",
					code:   uploads.InvalidRequest,
				}, {
					name:   "a purpose after the file",
					pieces: []piece{theFile, value("Purpose", "x")},
					status: bad,
					field:  "Purpose",
					code:   uploads.InvalidRequest,
				}}
				for _, row := range rows {
					if row.field == "file" && !strings.HasPrefix(row.name, "no ") {
						forms = append(forms, row)
					}
				}
			}
			newAPI(t, newMemoryFixture(t, filesapi.StoreConfig{}), filesapi.HandlerConfig{MaxUploadSize: 1 << 20}).refuses(t, path, forms)
		})
	}
}

func withContent(size int) []piece {
	return []piece{attached("file", "a.txt", strings.Repeat("x", size))}
}

// partForm returns the form of a part, with one change.
func partForm(spoil func(fields map[string]string)) []piece {
	fields := map[string]string{"originalFileName": "a.txt", "token": "token-1234", "count": "3", "part": "1"}
	spoil(fields)
	var pieces []piece
	for name, content := range fields {
		pieces = append(pieces, value(name, content))
	}
	return append(pieces, theFile)
}

func partWith(name, content string) []piece {
	return partForm(func(fields map[string]string) {
		fields[name] = content
	})
}

func partWithout(name string) []piece {
	return partForm(func(fields map[string]string) {
		delete(fields, name)
	})
}

func TestHandlerRefusesParts(t *testing.T) {
	var rows []badForm
	add := func(name string, pieces []piece, field string, code uploads.Code) {
		rows = append(rows, badForm{name, pieces, bad, field, code})
	}
	for _, field := range []string{"originalFileName", "token", "count", "part"} {
		add("no "+field, partWithout(field), field, uploads.InvalidValue)
		add("an empty "+field, partWith(field, ""), field, uploads.InvalidValue)
		add("two of "+field, append([]piece{value(field, "1")}, partForm(func(map[string]string) {})...), field, uploads.InvalidRequest)
		add(field+" as a file", append([]piece{attached(field, "a.txt", "1")}, partWithout(field)...), field, uploads.InvalidValue)
		add(field+" after the file", append(partWithout(field), value(field, "1")), field, uploads.InvalidValue)
		rows = append(rows, badForm{field + " of 1 MiB", append([]piece{value(field, strings.Repeat("1", 1<<20))}, partWithout(field)...),
			http.StatusRequestEntityTooLarge, field, uploads.TooLarge})
	}
	for _, field := range []string{"count", "part"} {
		for _, number := range []string{"0", "-1", "+1", "1.0", "1e3", "0x1", " 1", "one", "null", "true", "10001", "2147483648", "18446744073709551617", strings.Repeat("9", 10_000), "１"} {
			add(field+" as "+number[:min(20, len(number))], partWith(field, number), field, uploads.InvalidValue)
		}
	}
	add("a part after the last", partWith("part", "4"), "part", uploads.InvalidValue)
	for _, token := range []string{"1234567", strings.Repeat("x", 129), "../../secret", "with spaces", "12345678\x00", "éééééééé"} {
		add(fmt.Sprintf("token %.20q", token), partWith("token", token), "token", uploads.InvalidValue)
	}

	for name, value := range badNames {
		add("a name of "+name, partWith("originalFileName", value), "originalFileName", uploads.InvalidValue)
	}

	add("a field after the file", append(partForm(func(map[string]string) {}), value("Purpose", "x")), "Purpose", uploads.InvalidRequest)
	add("a field that is none", partWith("size", "1"), "size", uploads.InvalidRequest)
	add("no file", partForm(func(map[string]string) {})[:4], "file", uploads.InvalidValue)
	emoji := strings.Repeat("🦄", 10_000)
	rows = append(rows, badForm{"a name of 10,000 emoji, twice", append(partWith("originalFileName", emoji)[:4], attached("file", emoji, "x")),
		http.StatusRequestEntityTooLarge, "originalFileName", uploads.TooLarge})

	for _, path := range []string{"/files/parts", "/temp-files/parts"} {
		t.Run(path, func(t *testing.T) {
			newAPI(t, newMemoryFixture(t, filesapi.StoreConfig{}), filesapi.HandlerConfig{MaxUploadSize: 1 << 20}).refuses(t, path, rows)
		})
	}
}

// The handler refuses uploads whose Content-Type is not a multipart form.
func TestHandlerRefusesBodiesOfOtherKind(t *testing.T) {
	a := newAPI(t, newMemoryFixture(t, filesapi.StoreConfig{}), filesapi.HandlerConfig{})
	for _, contentType := range []string{"", "application/json", "multipart/form-data", "multipart/mixed; boundary=x", "application/x-www-form-urlencoded", "a; b; c"} {
		for _, path := range []string{"/files", "/files/parts", "/temp-files", "/temp-files/parts"} {
			a.ask(t, "POST", path, contentType, strings.NewReader("file=x")).problem(t, bad, "Content-Type", uploads.InvalidRequest)
		}
	}
	a.ask(t, "POST", "/files", "multipart/form-data; boundary=x", strings.NewReader("no form at all")).problem(t, bad, "", uploads.Interrupted)
	a.ask(t, "POST", "/files", "multipart/form-data; boundary=x", nil).problem(t, bad, "", uploads.Interrupted)
}

func TestHandlerStoresNothingOfATruncatedForm(t *testing.T) {
	a := newAPI(t, newMemoryFixture(t, filesapi.StoreConfig{}), filesapi.HandlerConfig{})
	body, contentType := newForm(t, withContent(100_000))
	text, err := io.ReadAll(body)
	require.NoError(t, err)
	for _, cut := range []int{3, 4, 5, 10, 1000, 99_999, len(text) - 20} {
		answer := a.ask(t, "POST", "/files", contentType, bytes.NewReader(text[:len(text)-cut]))
		require.Equal(t, bad, answer.status, "without its last %d bytes: %s", cut, answer.body)
		require.Empty(t, keysUnder(t, a.fixture.bucket, "files/"))
	}
}

func TestHandlerRefusesDocuments(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	a := newAPI(t, f, filesapi.HandlerConfig{MaxDelete: 3})
	id := f.upload(t, "x").ID

	tests := []struct {
		name, method, path, body string
		status                   int
		field                    string
		code                     uploads.Code
	}{
		{name: "no IDs", method: "POST", path: "/files/delete", body: `{}`, status: bad, field: "Items", code: uploads.InvalidValue},
		{
			name:   "an empty list",
			method: "POST",
			path:   "/files/delete",
			body:   `{"Items": []}`,
			status: bad,
			field:  "Items",
			code:   uploads.InvalidValue,
		},
		{name: "null", method: "POST", path: "/files/delete", body: `{"Items": null}`, status: bad, field: "Items", code: uploads.InvalidValue},
		{name: "a text", method: "POST", path: "/files/delete", body: `{"Items": "x"}`, status: bad, field: "Items", code: uploads.InvalidValue},
		{
			name:   "a number among them",
			method: "POST",
			path:   "/files/delete",
			body:   `{"Items": [7]}`,
			status: bad,
			field:  "Items",
			code:   uploads.InvalidValue,
		},
		{
			name:   "too many",
			method: "POST",
			path:   "/files/delete",
			body:   `{"Items": ["` + strings.Repeat(id+`","`, 3) + id + `"]}`,
			status: bad,
			field:  "Items",
			code:   uploads.InvalidValue,
		},
		{
			name:   "twice",
			method: "POST",
			path:   "/files/delete",
			body:   `{"Items": ["` + id + `"], "Items": ["` + id + `"]}`,
			status: bad,
			field:  "Items",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "another field",
			method: "POST",
			path:   "/files/delete",
			body:   `{"Items": ["` + id + `"], "Force": true}`,
			status: bad,
			field:  "Force",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "another case",
			method: "POST",
			path:   "/files/delete",
			body:   `{"items": ["` + id + `"]}`,
			status: bad,
			field:  "items",
			code:   uploads.InvalidRequest,
		},
		{name: "no object", method: "POST", path: "/files/delete", body: `["` + id + `"]`, status: bad, field: "Items", code: uploads.InvalidRequest},
		{
			name:   "two objects",
			method: "POST",
			path:   "/files/delete",
			body:   `{"Items": ["` + id + `"]}{}`,
			status: bad,
			field:  "Items",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "half an object",
			method: "POST",
			path:   "/files/delete",
			body:   `{"Items": ["` + id,
			status: bad,
			field:  "Items",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "bytes that are not text",
			method: "POST",
			path:   "/files/delete",
			body:   "{\"Items\": [\"\xff\"]}",
			status: bad,
			field:  "Items",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "a purpose that is not text",
			method: "PUT",
			path:   "/files/" + id + "/purpose",
			body:   "{\"Purpose\": \"\xff\"}",
			status: bad,
			field:  "Purpose",
			code:   uploads.InvalidRequest,
		},
		{name: "nothing", method: "POST", path: "/files/delete", body: ``, status: bad, field: "Items", code: uploads.InvalidRequest},
		{
			name:   "1 MiB",
			method: "POST",
			path:   "/files/delete",
			body:   `{"Items": ["` + strings.Repeat("x", 1<<20) + `"]}`,
			status: http.StatusRequestEntityTooLarge,
			field:  "Items",
			code:   uploads.TooLarge,
		},

		{name: "no purpose", method: "PUT", path: "/files/" + id + "/purpose", body: `{}`, status: bad, field: "Purpose", code: uploads.InvalidValue},
		{
			name:   "a null purpose",
			method: "PUT",
			path:   "/files/" + id + "/purpose",
			body:   `{"Purpose": null}`,
			status: bad,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
		{
			name:   "a number",
			method: "PUT",
			path:   "/files/" + id + "/purpose",
			body:   `{"Purpose": 7}`,
			status: bad,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
		{
			name:   "a list",
			method: "PUT",
			path:   "/files/" + id + "/purpose",
			body:   `{"Purpose": ["a"]}`,
			status: bad,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
		{
			name:   "two purposes",
			method: "PUT",
			path:   "/files/" + id + "/purpose",
			body:   `{"Purpose": "a", "Purpose": "b"}`,
			status: bad,
			field:  "Purpose",
			code:   uploads.InvalidRequest,
		},
		{
			name:   "a control character",
			method: "PUT",
			path:   "/files/" + id + "/purpose",
			body:   `{"Purpose": "a\u0000b"}`,
			status: bad,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
		{
			name:   "an override",
			method: "PUT",
			path:   "/files/" + id + "/purpose",
			body:   `{"Purpose": "a\u202eb"}`,
			status: bad,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
		{
			name:   "10,000 characters",
			method: "PUT",
			path:   "/files/" + id + "/purpose",
			body:   `{"Purpose": "` + strings.Repeat("x", 10_000) + `"}`,
			status: bad,
			field:  "Purpose",
			code:   uploads.InvalidValue,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a.ask(t, tt.method, tt.path, "application/json", strings.NewReader(tt.body)).problem(t, tt.status, tt.field, tt.code)
		})
	}

	a.ask(t, "POST", "/files/delete", "text/plain", strings.NewReader(`{"Items": ["`+id+`"]}`)).problem(t, bad, "Content-Type", uploads.InvalidRequest)
	require.Empty(t, a.hidden)
	record, err := f.store.Details(t.Context(), id)
	require.NoError(t, err, "nothing was deleted")
	require.Empty(t, record.Purpose)
}

func TestHandlerRefusesQueries(t *testing.T) {
	a := newAPI(t, newMemoryFixture(t, filesapi.StoreConfig{}), filesapi.HandlerConfig{})
	tests := []struct {
		query, field string
		code         uploads.Code
	}{
		{"pageSize=0", "pageSize", uploads.InvalidValue},
		{"pageSize=-1", "pageSize", uploads.InvalidValue},
		{"pageSize=many", "pageSize", uploads.InvalidValue},
		{"pageSize=", "pageSize", uploads.InvalidValue},
		{"pageSize=99999999999999999999", "pageSize", uploads.InvalidValue},
		{"pageSize=1&pageSize=2", "pageSize", uploads.InvalidRequest},
		{"pageToken=nonsense", "pageToken", uploads.InvalidValue},
		{"pageToken=" + strings.Repeat("x", 10_000), "pageToken", uploads.InvalidValue},
		{"purpose=", "purpose", uploads.InvalidValue},
		{"uploadedBy=", "uploadedBy", uploads.InvalidValue},
		{"from=", "from", uploads.InvalidValue},
		{"to=0001-01-01T00:00:00Z", "to", uploads.InvalidValue},
		{"from=0001-01-01T01:00:00%2B01:00", "from", uploads.InvalidValue},
		{"from=yesterday", "from", uploads.InvalidValue},
		{"to=2026-11-20", "to", uploads.InvalidValue},
		{"from=2026-11-21T00:00:00Z&to=2026-11-20T00:00:00Z", "from", uploads.InvalidValue},
		{"purpose=a&purpose=b", "purpose", uploads.InvalidRequest},
		{"purpose=%00", "purpose", uploads.InvalidValue},
		{"uploadedBy=%ff", "uploadedBy", uploads.InvalidValue},
		{"uploadedBy=" + strings.Repeat("x", 10_000), "uploadedBy", uploads.InvalidValue},
		{"porpoise=x", "porpoise", uploads.InvalidRequest},
		{"purpose=%zz", "", uploads.InvalidRequest},
	}
	for _, tt := range tests {
		t.Run(tt.query[:min(40, len(tt.query))], func(t *testing.T) {
			a.ask(t, "GET", "/files?"+tt.query, "", nil).problem(t, bad, tt.field, tt.code)
		})
	}
}
