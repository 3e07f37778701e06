package filesapi

import (
	"errors"
	"io"
	"math"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/internal/bodyio"
	"github.com/omnibucket/storage/internal/words"
	"github.com/omnibucket/storage/uploads"
)

// maxFormFields limits all bytes of a form except the bytes of the file, so it includes names and
// boundaries.
const maxFormFields = 64 << 10

// A form is a multipart/form-data body. Everything before the content of its file has been read.
type form struct {
	parts  *multipart.Reader
	body   *bodyio.LimitedReader
	known  []string // names of the fields that the form may have, in addition to the file
	fields map[string]string
	// fileName is the name as the client sent it. multipart.Part.FileName cannot be used, because
	// it removes everything before the last slash.
	fileName string
	file     *formFile
}

// readForm reads the fields of a form up to the file, whose content it leaves to be read. The fields must
// have one of these names.
func readForm(r *http.Request, maxFile int64, names []string) (*form, error) {
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/form-data" || params["boundary"] == "" {
		return nil, refuse("Content-Type", uploads.InvalidRequest, "The body must be multipart/form-data.")
	}

	body := &bodyio.LimitedReader{
		Body:     r.Body,
		Left:     maxFormFields,
		TooLarge: errors.New("the fields of the form are too long"),
	}
	f := &form{
		parts:  multipart.NewReader(body, params["boundary"]),
		body:   body,
		known:  names,
		fields: map[string]string{},
	}

	// Read the fields before the file. The part with the file sets f.file.
	for f.file == nil {
		err := f.next(maxFile)
		if err == io.EOF {
			return nil, invalid(fieldFile, "There is no file.")
		}
		if err != nil {
			return nil, err
		}
	}
	return f, nil
}

// next reads the next field of the form, but not the content of the file, and returns io.EOF at the end.
func (f *form) next(maxFile int64) error {
	part, err := f.parts.NextRawPart()
	if err == io.EOF {
		return err
	}
	if err != nil {
		return f.failure("", err)
	}

	// Find the name of the field.
	params, err := fieldParams(part.Header.Get("Content-Disposition"))
	if err != nil {
		return err
	}
	name := params["name"]
	fileName, isFile := params["filename"]

	// The file is the last field, unless the handler permits fields after it.
	isAfterFile := f.file != nil
	if isAfterFile && name == fieldFile {
		return refuse(name, uploads.InvalidRequest, "This field is given twice.")
	}
	if isAfterFile && f.file.after == nil {
		return refuse(name, uploads.InvalidRequest, "This field must come before the file, which is last.")
	}

	if name != fieldFile {
		if isFile && slices.Contains(f.known, name) {
			return invalid(name, "This must be text, not a file.")
		}
		return f.readText(part, name)
	}
	if !isFile {
		return invalid(fieldFile, "This must be a file.")
	}
	f.beginFile(part, fileName, maxFile)
	return nil
}

// fieldParams returns the parameters in the Content-Disposition of a field, and fails unless they have its name.
func fieldParams(disposition string) (map[string]string, error) {
	_, params, err := mime.ParseMediaType(disposition)
	hasName := params["name"] != ""
	if err == nil && hasName {
		return params, nil
	}
	if err != nil && !hasName && strings.Contains(disposition, `"`+fieldFile+`"`) {
		// It is the field of the file, so the name of the file must be what cannot be parsed.
		return nil, invalid(fieldFile, "The file's name is not understood.")
	}
	return nil, refuse("Content-Disposition", uploads.InvalidRequest, "Each field of the form needs a name.")
}

// beginFile sets the file of the form, of at most maxFile bytes, whose content is read later.
func (f *form) beginFile(part io.Reader, fileName string, maxFile int64) {
	f.body.Left = math.MaxInt64 // the limit of the other fields does not apply to the file
	f.fileName = fileName
	tooLarge := refuse(
		fieldFile, uploads.TooLarge,
		"The file is too large: at most "+words.Bytes(maxFile)+" in one request. Send it in parts.",
	)
	f.file = &formFile{body: bodyio.LimitReader(part, maxFile, tooLarge), form: f}
}

// readText reads the text of a field, which the form must know and have only once.
func (f *form) readText(part io.Reader, name string) error {
	if !slices.Contains(f.known, name) {
		return refuse(name, uploads.InvalidRequest, "This is not a field of the form.")
	}
	if _, isRepeated := f.fields[name]; isRepeated {
		return refuse(name, uploads.InvalidRequest, "This field is given twice.")
	}
	value, err := io.ReadAll(part)
	if err != nil {
		return f.failure(name, err)
	}
	f.fields[name] = string(value)
	return nil
}

// failure returns the refusal for an error of reading the form in this field, or in any field if it is "".
func (f *form) failure(field string, err error) *uploads.Error {
	if refused, ok := errors.AsType[*uploads.Error](err); ok {
		return refused
	}
	// Another handler may have set this limit, such as http.MaxBytesHandler.
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return refuse(field, uploads.TooLarge, "This is too large: at most "+words.Bytes(tooLarge.Limit)+".")
	}

	if f.body.Left < 0 {
		// The fields are longer than maxFormFields.
		return f.tooLong(field)
	}
	if _, isMalformed := errors.AsType[textproto.ProtocolError](err); isMalformed {
		return malformedHeader(err)
	}

	// Package multipart has no types for its errors, but begins their texts with its name.
	isOfMultipart := strings.HasPrefix(err.Error(), "multipart: ")
	isTruncated := errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
	if isOfMultipart && !isTruncated {
		return refuse(field, uploads.InvalidRequest, "The form is not understood.")
	}

	// Do not wrap err, which may wrap io.EOF, because a caller could mistake that for the end of the file.
	return refuse(field, uploads.Interrupted, "The form did not arrive completely. Try again.")
}

// tooLong returns the refusal for fields that are too long together. It blames the field that was being read or, if
// field is "", the longest one.
func (f *form) tooLong(field string) *uploads.Error {
	if field == "" {
		field = f.longestField()
	}
	message := "This is too long: at most " + words.Bytes(maxFormFields) + " besides the file's bytes."
	return refuse(field, uploads.TooLarge, message)
}

// malformedHeader returns the refusal for a field whose header is malformed. The text of err quotes the line. If that
// is the line of the file, its name is to blame.
func malformedHeader(err error) *uploads.Error {
	if strings.Contains(err.Error(), `name=\"`+fieldFile+`\"`) {
		return invalid(fieldFile, "The file's name has characters that cannot be shown.")
	}
	return refuse("Content-Disposition", uploads.InvalidRequest, "The form is not understood.")
}

// longestField returns the name of the field that makes the form too long. If it is none of those that were
// read, it is that of the file, whose name must be long.
func (f *form) longestField() string {
	for name, value := range f.fields {
		// At most one field is longer than half of the limit for all.
		if len(value) > maxFormFields/2 {
			return name
		}
	}
	return fieldFile
}

// requiredText returns the text of a field, and fails if the field is missing or empty.
func (f *form) requiredText(name string) (string, error) {
	value, ok := f.fields[name]
	if !ok {
		return "", invalid(name, "This field is missing. It must come before the file.")
	}
	if value == "" {
		return "", invalid(name, "This field is empty.")
	}
	return value, nil
}

// requiredNumber returns the number in a field, and fails if the field is missing or has no number.
func (f *form) requiredNumber(name string) (int, error) {
	text, err := f.requiredText(name)
	if err != nil {
		return 0, err
	}
	const maxDigits = 9
	if len(text) > maxDigits || strings.Trim(text, "0123456789") != "" {
		return 0, invalid(name, "This must be a number of at least 1.")
	}
	return strconv.Atoi(text)
}

// A formFile reads the file of a form. After the file, Read also reads the remaining fields. If the
// whole form is valid, Read returns io.EOF. Otherwise Read returns another error, and the store
// discards the file.
type formFile struct {
	body io.Reader
	form *form
	// after is called when the fields after the file have been read. If it is nil, no field may
	// follow the file.
	after func() error
	err   error // the error that all later reads return
}

// Read reads the content of the file and, at its end, the rest of the form.
func (f *formFile) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.body.Read(p)
	if err == nil {
		return n, nil
	}

	if err != io.EOF {
		f.err = f.form.failure(fieldFile, err)
		return n, f.err
	}

	// The file has ended. If the rest of the form is invalid, Read fails instead.
	f.err = io.EOF
	if restErr := f.readRest(); restErr != nil {
		f.err = restErr
	}
	return n, f.err
}

// readRest reads the fields after the file, and fails if one of them is invalid.
func (f *formFile) readRest() error {
	// The file was read without the limit for the other fields, so set it again.
	f.form.body.Left = maxFormFields
	for {
		const maxFile = 0 // no other file may follow
		err := f.form.next(maxFile)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}

	if f.after == nil {
		return nil
	}
	return f.after()
}

// failure returns the error that reading the form has failed with, or else err.
func (f *formFile) failure(err error) error {
	if f.err != nil && f.err != io.EOF {
		return f.err
	}
	return err
}
