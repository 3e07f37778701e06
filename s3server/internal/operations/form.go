package operations

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/tagging"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// maxFields is the maximum size in bytes of the fields of a form. Only the fields before the file
// count.
const maxFields = 20 << 10

// A form is an upload form that a browser posts. It has the fields before the file, and a reader of
// the file.
type form struct {
	fields map[string]string // values of fields; the names are in lower case
	names  []string          // names of fields, in the order of the form
	file   io.Reader
}

// maxPreamble is the maximum number of bytes before the file of a form, including the headers of
// fields.
const maxPreamble = 256 << 10

// readForm reads the fields of a form up to its file, which it does not read.
func readForm(reader *multipart.Reader) (*form, error) {
	f := &form{fields: map[string]string{}}
	total := 0
	for {
		p, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, s3error.New("IncorrectNumberOfFilesInPostRequest")
		}
		if err != nil {
			return nil, s3error.New("MalformedPOSTRequest")
		}

		name := strings.ToLower(p.FormName())
		if name == "" {
			return nil, s3error.New("MalformedPOSTRequest")
		}

		if name == "file" {
			f.file = p
			return f, f.expand(p.FileName(), total)
		}

		// One byte more than the limit shows that the field is too long.
		value, err := io.ReadAll(io.LimitReader(p, maxFields+1))
		if err != nil {
			return nil, s3error.New("MalformedPOSTRequest")
		}
		total += len(name) + len(value)
		if total > maxFields {
			return nil, s3error.New("MaxPostPreDataLengthExceededError")
		}

		// The last value of a repeated field counts, but its name is listed only once.
		if _, exists := f.fields[name]; !exists {
			f.names = append(f.names, name)
		}
		f.fields[name] = string(value)
	}
}

// expand replaces ${filename} in all fields with the last element of path. It fails if the fields, which
// have size bytes, would then have more than maxFields.
func (f *form) expand(path string, size int) error {
	const variable = "${filename}"
	filename := path[strings.LastIndexAny(path, `/\`)+1:]
	for name, value := range f.fields {
		size += strings.Count(value, variable) * len(filename)
		if size > maxFields {
			return s3error.New("MaxPostPreDataLengthExceededError")
		}
		f.fields[name] = strings.ReplaceAll(value, variable, filename)
	}
	return nil
}

// header returns the headers that a PutObject would have in place of the form's fields.
func (f *form) header() http.Header {
	header := http.Header{}
	for name, value := range f.fields {
		switch {
		case name == "acl":
			header.Set("X-Amz-Acl", value)
		case name == "cache-control" || name == "expires":
			header.Set(name, value)
		case strings.HasPrefix(name, "x-amz-") || strings.HasPrefix(name, "content-"):
			header.Set(name, value)
		}
	}
	return header
}

// tags returns the tags in the XML document of the field "tagging", if the form has one.
func (f *form) tags() ([]tagging.Tag, error) {
	if f.fields["tagging"] == "" {
		return nil, nil
	}
	var doc tagging.Document
	if err := xmldoc.Parse([]byte(f.fields["tagging"]), &doc); err != nil {
		return nil, err
	}
	return doc.Tags()
}
