// Package headers decides which headers a request may have. It also reads the headers for
// conditions, the properties of an object, and its lock.
package headers

import (
	"net/http"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// AmzPrefix begins the names of AWS's own headers.
const AmzPrefix = "X-Amz-"

// commonHeaders has the x-amz-* headers that every operation accepts. They concern the signature,
// the account or the client, or ask for something that a server may ignore.
var commonHeaders = []string{
	"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signature", "x-amz-signedheaders",
	"x-amz-content-sha256", "x-amz-security-token", "x-amz-expected-bucket-owner", "x-amz-request-payer",
	"x-amz-user-agent", "x-amz-api-version", "x-amz-cf-id", "x-amz-te",
}

var (
	// bodyHeaders describe the body of a request.
	bodyHeaders = []string{
		"x-amz-checksum-*", "x-amz-sdk-checksum-algorithm", "x-amz-trailer", "x-amz-decoded-content-length",
	}
	// kindHeaders select the kind of a checksum.
	kindHeaders       = []string{"x-amz-checksum-algorithm", "x-amz-checksum-type"}
	encryptionHeaders = []string{
		"x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
		"x-amz-server-side-encryption-context", "x-amz-server-side-encryption-bucket-key-enabled",
	}
	customerHeaders = []string{
		"x-amz-server-side-encryption-customer-algorithm", "x-amz-server-side-encryption-customer-key",
		"x-amz-server-side-encryption-customer-key-md5",
	}
	aclHeaders = []string{
		"x-amz-acl", "x-amz-grant-full-control", "x-amz-grant-read", "x-amz-grant-read-acp", "x-amz-grant-write", "x-amz-grant-write-acp",
	}
	// sourceHeaders name the source of a copy and the conditions on it.
	sourceHeaders = []string{
		"x-amz-copy-source", "x-amz-copy-source-if-match", "x-amz-copy-source-if-none-match",
		"x-amz-copy-source-if-modified-since", "x-amz-copy-source-if-unmodified-since",
		"x-amz-copy-source-server-side-encryption-customer-algorithm", "x-amz-copy-source-server-side-encryption-customer-key",
		"x-amz-copy-source-server-side-encryption-customer-key-md5", "x-amz-source-expected-bucket-owner",
	}
	// objectHeaders have the properties of an object that is written.
	objectHeaders = slices.Concat(encryptionHeaders, customerHeaders, aclHeaders, []string{
		"x-amz-meta-*", "x-amz-storage-class", "x-amz-website-redirect-location",
		"x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold",
	})
	readHeaders = slices.Concat(encryptionHeaders, customerHeaders, []string{"x-amz-checksum-mode"})
	listHeaders = []string{"x-amz-optional-object-attributes"}
)

// FormFields is a name for [Check], in place of an operation. Check with this name checks the
// x-amz-* fields of a form upload, as if the fields were headers. The HTTP headers of the request
// are checked separately, with the operation PostObject.
const FormFields = "PostObject's form"

// acceptedHeaders maps an operation to the x-amz-* headers that it accepts in addition to
// commonHeaders. The handler of the operation either honors such a header or fails with an error.
var acceptedHeaders = headerTable(map[string][]string{
	// These two rows are for operations that are not in the table. The first row is for names that
	// begin with Put. The second row is for all other names.
	"Put": bodyHeaders,
	"":    nil,

	"CreateBucket": slices.Concat(bodyHeaders, aclHeaders,
		[]string{"x-amz-bucket-object-lock-enabled", "x-amz-object-ownership"}),
	"PutBucketAcl":  slices.Concat(bodyHeaders, aclHeaders),
	"PutObjectAcl":  slices.Concat(bodyHeaders, aclHeaders),
	"DeleteObjects": slices.Concat(bodyHeaders, []string{"x-amz-bypass-governance-retention"}),
	"RestoreObject": bodyHeaders,

	"PutBucketLifecycleConfiguration":    slices.Concat(bodyHeaders, []string{"x-amz-transition-default-minimum-object-size"}),
	"PutBucketNotificationConfiguration": slices.Concat(bodyHeaders, []string{"x-amz-skip-destination-validation"}),
	"PutBucketPolicy":                    slices.Concat(bodyHeaders, []string{"x-amz-confirm-remove-self-bucket-access"}),
	"PutObjectRetention":                 slices.Concat(bodyHeaders, []string{"x-amz-bypass-governance-retention"}),

	"ListObjects":        listHeaders,
	"ListObjectsV2":      listHeaders,
	"ListObjectVersions": listHeaders,

	"GetObject":  readHeaders,
	"HeadObject": readHeaders,
	"GetObjectAttributes": slices.Concat(
		encryptionHeaders, customerHeaders,
		[]string{"x-amz-object-attributes", "x-amz-max-parts", "x-amz-part-number-marker"},
	),
	"DeleteObject": {"x-amz-bypass-governance-retention"},
	"PutObject":    slices.Concat(bodyHeaders, kindHeaders, objectHeaders, []string{"x-amz-tagging"}),
	FormFields:     slices.Concat([]string{"x-amz-checksum-*"}, kindHeaders, objectHeaders),
	"CopyObject": slices.Concat(
		sourceHeaders, objectHeaders,
		[]string{"x-amz-checksum-algorithm", "x-amz-metadata-directive", "x-amz-tagging", "x-amz-tagging-directive"},
	),

	"CreateMultipartUpload": slices.Concat(objectHeaders, kindHeaders, []string{"x-amz-tagging"}),
	"UploadPart":            slices.Concat(bodyHeaders, kindHeaders, encryptionHeaders, customerHeaders, []string{"x-amz-tagging"}),
	"UploadPartCopy":        slices.Concat(sourceHeaders, encryptionHeaders, customerHeaders, []string{"x-amz-copy-source-range"}),
	"CompleteMultipartUpload": slices.Concat(bodyHeaders, kindHeaders, encryptionHeaders, customerHeaders,
		[]string{"x-amz-mp-object-size"}),
	"ListParts": customerHeaders,
})

// missingHeaders has x-amz-* headers of AWS that this server does not implement in any operation.
// "*" at the end of a name matches any text.
var missingHeaders = []string{
	"x-amz-acl*", "x-amz-bucket-namespace", "x-amz-bucket-object-lock-*", "x-amz-checksum-*", "x-amz-copy-source*", "x-amz-create-session-*",
	"x-amz-grant-*", "x-amz-if-*", "x-amz-mfa", "x-amz-object-lock-*", "x-amz-object-ownership*", "x-amz-rename-source*",
	"x-amz-s3session-token", "x-amz-server-side-encryption*", "x-amz-tagging*", "x-amz-write-offset-bytes",
}

// hasMeaning reports whether AWS defines a header for at least one operation, as far as this server knows.
func hasMeaning(name string) bool {
	if strings.HasPrefix(name, MetadataPrefix) {
		return true
	}
	for _, table := range acceptedHeaders {
		if table[name] {
			return true
		}
	}
	name = strings.ToLower(name)
	return slices.ContainsFunc(missingHeaders, func(pattern string) bool {
		prefix, isPrefix := strings.CutSuffix(pattern, "*")
		if isPrefix {
			return strings.HasPrefix(name, prefix)
		}
		return name == pattern
	})
}

// headerTable returns the set of headers of each operation: those in its list and commonHeaders, with names in the form
// of [http.Header]. A name that ends with "*" is in the set as a prefix, without the "*".
func headerTable(names map[string][]string) map[string]map[string]bool {
	table := map[string]map[string]bool{}
	for operation, list := range names {
		set := map[string]bool{}
		for _, name := range slices.Concat(commonHeaders, list) {
			set[http.CanonicalHeaderKey(strings.TrimSuffix(name, "*"))] = true
		}
		table[operation] = set
	}
	return table
}

// Check fails with NotImplemented if a request has an x-amz-* header of AWS that this server does not implement for the
// operation. If strict is true, unknown x-amz-* headers fail as well, because AWS may define them later. Otherwise they
// are accepted, because proxies and other S3 servers define headers of their own.
func Check(operation string, header http.Header, strict bool) error {
	// An operation without a row of its own has one of two general rows.
	accepted := acceptedHeaders[operation]
	if accepted == nil && strings.HasPrefix(operation, "Put") {
		accepted = acceptedHeaders["Put"]
	}
	if accepted == nil {
		accepted = acceptedHeaders[""]
	}

	for name := range header {
		if !strings.HasPrefix(name, AmzPrefix) || accepts(accepted, name) {
			continue
		}
		if strict || hasMeaning(name) {
			return s3error.New("NotImplemented", "Header", strings.ToLower(name))
		}
	}
	return nil
}

// accepts reports whether a header is in the set accepted. The set may also contain the prefix of all metadata or that
// of all checksums.
func accepts(accepted map[string]bool, name string) bool {
	if strings.HasPrefix(name, MetadataPrefix) && accepted[MetadataPrefix] {
		return true
	}
	isChecksum := strings.HasPrefix(name, checksum.Prefix) && !slices.Contains(checksum.Parameters, name)
	if isChecksum && accepted[checksum.Prefix] {
		return true
	}
	return accepted[name]
}
