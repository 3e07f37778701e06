package option

import (
	"net/textproto"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// A SignedValue is a parameter or a header that the caller adds to a signed URL.
type SignedValue struct {
	option, name, value string
	err                 error // error if no URL can have the value; otherwise nil
}

// ownParameters are parameters that this package sets in signed URLs. It also sets parameters that
// begin with x-amz-.
var ownParameters = []string{
	"partNumber", "response-content-disposition", "response-content-type", "uploadId", "versionId",
}

// otherOperations are parameters that turn a request for an object into another operation, whatever their value is.
// For example, DELETE with ?tagging removes only the tags.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
var otherOperations = []string{
	"acl", "annotation", "append", "attributes", "compose", "delete", "encryption", "generation", "lambdaArn",
	"legal-hold", "renameObject", "restore", "retention", "select", "tagging", "torrent", "uploads",
}

// ownHeaders are headers that this package, an HTTP client or a browser sets.
var ownHeaders = []string{
	"Authorization", "Connection", "Content-Length", "Cookie", "Expect", "Host", "Transfer-Encoding",
	"X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Security-Token",
	// A browser does not let a page set these headers
	// (https://fetch.spec.whatwg.org/#forbidden-request-header).
	"Accept-Charset", "Accept-Encoding", "Access-Control-Request-Headers", "Access-Control-Request-Method", "Cookie2",
	"Date", "Dnt", "Keep-Alive", "Origin", "Referer", "Set-Cookie", "Te", "Trailer", "Upgrade", "Via",
}

// ownPrefixes are the beginnings of headers that WithSignedHeader refuses. A browser does not let a
// page set headers that begin with Proxy- or Sec-. X-Amz-Copy-Source would turn an upload into a
// copy.
var ownPrefixes = []string{"Proxy-", "Sec-", "X-Amz-Copy-Source"}

// isReservedHeader reports whether WithSignedHeader refuses a header with this canonical name.
func isReservedHeader(header string) bool {
	hasPrefix := func(prefix string) bool { return strings.HasPrefix(header, prefix) }
	return slices.Contains(ownHeaders, header) || slices.ContainsFunc(ownPrefixes, hasPrefix)
}

// NewSignedParameter returns the value of an option WithSignedParameter, which adds a parameter to
// a signed URL. An error in name is kept in the value, and returned when the option is checked.
func NewSignedParameter(name, value string) SignedValue {
	const option = "WithSignedParameter"
	v := SignedValue{option: option, name: name, value: value}

	if slices.Contains(otherOperations, name) {
		v.err = argument.Invalid(option, "must not set "+name+", which selects another operation of S3", "")
		return v
	}
	// Digits and capital letters are less than 'a'.
	beginsLowerCase := httpheader.IsName(name) && name[0] >= 'a'
	isReserved := slices.Contains(ownParameters, name) || strings.HasPrefix(strings.ToLower(name), "x-amz-")
	if !beginsLowerCase || isReserved {
		v.err = argument.Invalid(
			option,
			"must name a parameter that begins with a lower-case letter, and that no other option sets",
			"",
		)
	}
	return v
}

// NewSignedHeader returns the value of an option WithSignedHeader, which adds a header to a signed
// request. An error in name or value is kept in the result, and returned when the option is checked.
func NewSignedHeader(name, value string) SignedValue {
	const option = "WithSignedHeader"
	v := SignedValue{option: option, name: textproto.CanonicalMIMEHeaderKey(name), value: value}

	isValidName := httpheader.IsName(name) && !isReservedHeader(v.name)
	if !isValidName {
		v.err = argument.Invalid(option,
			"must name a header that pages can set, that this package does not set, and that makes no copy", "")
		return v
	}

	hasUnusualSpaces := value != strings.TrimSpace(value) || strings.Contains(value, "  ")
	isValidValue := value != "" && !hasUnusualSpaces && httpheader.IsPrintable(value)
	if !isValidValue {
		v.err = argument.Invalid(
			option,
			"must have a value of printable ASCII, without spaces at its ends or two in a row",
			"",
		)
	}
	return v
}

// Check returns an error if no URL can have the value.
func (v SignedValue) Check(*Server) error { return v.err }

// Fingerprint returns the name of the option. It omits the value, because an upload with a
// SignedValue is never resumed.
func (v SignedValue) Fingerprint() string { return v.option }

// String returns the name of the option. It omits the value, which may be a secret.
func (v SignedValue) String() string { return v.option }

// GoString returns String.
func (v SignedValue) GoString() string { return v.option }

// Apply always fails, because a SignedValue fits only signed URLs. It is called if the option is
// given for a signed form.
func (v SignedValue) Apply(any) error {
	return &storage.Error{Code: storage.Unsupported, Hint: v.option + " fits signed URLs only: leave it out"}
}

// SignedValues separates the SignedValues in native, the options of this provider, from the others.
func SignedValues(native []any) (values []SignedValue, others []any) {
	for _, option := range native {
		if v, ok := option.(SignedValue); ok {
			values = append(values, v)
		} else {
			others = append(others, option)
		}
	}
	return values, others
}

// AddTo adds the header or parameter to a request for which a URL is signed. It fails with
// InvalidArgument if the request has it already.
func (v SignedValue) AddTo(request *signature.Request) error {
	conflict := argument.Invalid(v.option, "must not set "+v.name+", which another option sets", "")
	isHeader := v.option == "WithSignedHeader"
	if isHeader {
		if request.Header.Get(v.name) != "" {
			return conflict
		}
		request.Header.Set(v.name, v.value)
		return nil
	}

	// The query is already escaped, so a parameter is compared and added in that form.
	query := strings.FieldsFunc(request.Query, func(c rune) bool { return c == '&' })
	hasName := func(parameter string) bool { return strings.HasPrefix(parameter, v.name+"=") }
	if slices.ContainsFunc(query, hasName) {
		return conflict
	}
	request.Query = strings.Join(append(query, v.name+"="+escape.All(v.value)), "&")
	return nil
}
