package policy

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// A Request is the input of [Policy.Evaluate]: an action of a caller on a bucket or an object.
type Request struct {
	Operation string  // AWS's name, such as "PutObject"
	Action    string  // such as "s3:GetObject"
	Resource  string  // the ARN of the bucket or the object
	VersionID string  // version that the request names, or ""
	Prefix    *string // value of s3:prefix; if it is nil, the query parameter "prefix" is the value

	Anonymous bool
	Account   string // the account of the caller; "" if it is anonymous
	Owner     string // the account that owns the bucket
	Region    string // the region of the bucket

	Header     http.Header // headers of the request; for a form upload, the form's fields as headers
	Query      url.Values
	Tags       []tagging.Tag        // tags in the request's document
	ObjectTags func() []tagging.Tag // returns the tags of the existing object

	Now           time.Time
	TLS           *tls.ConnectionState
	RemoteAddr    string
	Algorithm     string // the algorithm of the signature
	SignedAt      string // the time of the signature
	SignedByQuery bool   // true if the signature is in the query
}

const (
	retainUntil = "X-Amz-Object-Lock-Retain-Until-Date"
	existingTag = "s3:existingobjecttag/"
	requestTag  = "s3:requestobjecttag/"
)

// conditionKey returns a condition key in the form that this package compares: in lower case, except for
// the name of a tag.
func conditionKey(key string) string {
	lower := strings.ToLower(key)
	for _, prefix := range []string{existingTag, requestTag} {
		if strings.HasPrefix(lower, prefix) {
			return prefix + key[len(prefix):]
		}
	}
	return lower
}

// absentKeys has condition keys of AWS that no request to this server has. They concern networks,
// organizations, access points and other features that the server does not have.
var absentKeys = []string{
	"aws:calledvia", "aws:calledviafirst", "aws:calledvialast", "aws:federatedprovider", "aws:multifactorauthage", "aws:multifactorauthpresent",
	"aws:principalorgid", "aws:principalorgpaths", "aws:principalservicename", "aws:principalservicenameslist", "aws:resourceorgid",
	"aws:resourceorgpaths", "aws:sourceaccount", "aws:sourcearn", "aws:sourceidentity", "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourceowner",
	"aws:sourcevpc", "aws:sourcevpcarn", "aws:sourcevpce", "aws:tokenissuetime", "aws:username", "aws:vpcsourceip",
	"s3:accesspointnetworkorigin", "s3:dataaccesspointaccount", "s3:dataaccesspointarn", "s3:jobsuspendedcause",
}

// headerKeys has the condition keys whose value is a header of the request.
var headerKeys = []string{
	"s3:x-amz-acl", "s3:x-amz-content-sha256", "s3:x-amz-grant-full-control", "s3:x-amz-grant-read", "s3:x-amz-grant-read-acp", "s3:x-amz-grant-write",
	"s3:x-amz-grant-write-acp", "s3:x-amz-metadata-directive", "s3:x-amz-object-ownership", "s3:x-amz-server-side-encryption",
	"s3:x-amz-server-side-encryption-aws-kms-key-id", "s3:x-amz-server-side-encryption-customer-algorithm", "s3:x-amz-storage-class",
	"s3:x-amz-website-redirect-location", "s3:if-match", "s3:if-none-match",
}

// renamedHeaders maps a condition key to the header that has its value, if their names differ.
var renamedHeaders = map[string]string{
	"aws:referer":                      "Referer",
	"aws:useragent":                    "User-Agent",
	"s3:object-lock-legal-hold":        "X-Amz-Object-Lock-Legal-Hold",
	"s3:object-lock-mode":              "X-Amz-Object-Lock-Mode",
	"s3:object-lock-retain-until-date": retainUntil,
}

// queryKeys maps a condition key to the parameter of the query that has its value.
var queryKeys = map[string]string{
	"s3:delimiter": "delimiter", "s3:max-keys": "max-keys", "s3:prefix": "prefix", "s3:versionid": "versionId",
}

// knownConditionKey reports whether the server knows the meaning of a condition key.
func knownConditionKey(key string) bool {
	if strings.HasPrefix(key, existingTag) || strings.HasPrefix(key, requestTag) {
		return true
	}
	if slices.Contains(absentKeys, key) || slices.Contains(headerKeys, key) {
		return true
	}
	return renamedHeaders[key] != "" || queryKeys[key] != "" || computedKeys[key] != nil
}

// values returns the values of a condition key for this request, or false if it does not have the key.
func (r *Request) values(key string) (values []string, ok bool) {
	if strings.HasPrefix(key, existingTag) {
		return tagValue(r.ObjectTags(), key[len(existingTag):])
	}
	if strings.HasPrefix(key, requestTag) {
		return tagValue(r.requestTags(), key[len(requestTag):])
	}

	// Most keys are those of headers, some under another name.
	if slices.Contains(headerKeys, key) {
		return r.headerValue(strings.TrimPrefix(key, "s3:"))
	}
	if renamedHeaders[key] != "" {
		return r.headerValue(renamedHeaders[key])
	}

	// The prefix of a listing may be "", but is nil for other operations.
	if key == "s3:prefix" && r.Prefix != nil {
		return []string{*r.Prefix}, true
	}
	// DeleteObjects and the source of a copy have the version id elsewhere than in the query.
	if key == "s3:versionid" && r.VersionID != "" {
		return singleValue(r.VersionID)
	}
	if queryKeys[key] != "" {
		// If the parameter is repeated, the first value counts.
		name := queryKeys[key]
		return []string{r.Query.Get(name)}, r.Query.Has(name)
	}
	if computedKeys[key] != nil {
		return computedKeys[key](r)
	}
	return nil, false
}

// isUploadProperty reports whether the request is a later request of an upload and lacks the property of a
// condition key, such as the storage class, because only CreateMultipartUpload has it.
func (r *Request) isUploadProperty(key string) bool {
	isLaterRequest := slices.Contains([]string{"UploadPart", "UploadPartCopy", "CompleteMultipartUpload"}, r.Operation)
	if !isLaterRequest || r.Action != "s3:PutObject" {
		return false
	}
	return slices.ContainsFunc(uploadProperties, func(prefix string) bool {
		return strings.HasPrefix(key, prefix)
	})
}

// uploadProperties has the beginnings of the condition keys for isUploadProperty.
var uploadProperties = []string{
	requestTag,
	"s3:object-lock-",
	"s3:requestobjecttagkeys",
	"s3:x-amz-acl",
	"s3:x-amz-grant-",
	"s3:x-amz-server-side-encryption",
	"s3:x-amz-storage-class",
	"s3:x-amz-website-redirect-location",
}

// headerValue returns the value of a header, in the form of a result of values.
func (r *Request) headerValue(name string) ([]string, bool) {
	value := r.Header.Get(name)
	return []string{value}, value != ""
}

// singleValue returns a value in the form of a result of values.
func singleValue(value string) ([]string, bool) { return []string{value}, true }

// tagValue returns the value of the tag with this name, in the form of a result of values.
func tagValue(tags []tagging.Tag, name string) ([]string, bool) {
	for _, t := range tags {
		if t.Key == name {
			return singleValue(t.Value)
		}
	}
	return nil, false
}

// requestTags returns the tags that the request sets on the object.
func (r *Request) requestTags() []tagging.Tag {
	if r.Tags != nil {
		return r.Tags
	}
	// The operation itself fails if the tags are invalid.
	tags, _ := tagging.ReadHeader(r.Header.Get("X-Amz-Tagging"))
	return tags
}

// computedKeys has the condition keys that are neither headers nor query parameters. It maps each
// of them to a function that computes the key's value.
var computedKeys = map[string]func(*Request) ([]string, bool){
	"aws:currenttime": func(r *Request) ([]string, bool) { return singleValue(r.Now.Format(time.RFC3339)) },
	"aws:epochtime":   func(r *Request) ([]string, bool) { return singleValue(strconv.FormatInt(r.Now.Unix(), 10)) },
	"aws:principalaccount": func(r *Request) ([]string, bool) {
		return []string{r.Account}, !r.Anonymous
	},
	"aws:principalarn": func(r *Request) ([]string, bool) {
		return []string{"arn:aws:iam::" + r.Account + ":root"}, !r.Anonymous
	},
	"aws:principalisawsservice": func(*Request) ([]string, bool) { return singleValue("false") },
	"aws:principaltype": func(r *Request) ([]string, bool) {
		if r.Anonymous {
			return singleValue("Anonymous")
		}
		return singleValue("Account")
	},
	"aws:requestedregion": func(r *Request) ([]string, bool) { return singleValue(r.Region) },
	"aws:resourceaccount": func(r *Request) ([]string, bool) { return singleValue(r.Owner) },
	"aws:securetransport": func(r *Request) ([]string, bool) { return singleValue(strconv.FormatBool(r.TLS != nil)) },
	"aws:sourceip": func(r *Request) ([]string, bool) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		return []string{host}, err == nil
	},
	"aws:userid": func(r *Request) ([]string, bool) {
		if r.Anonymous {
			return singleValue("anonymous")
		}
		return singleValue(r.Account)
	},
	"aws:viaawsservice": func(*Request) ([]string, bool) { return singleValue("false") },
	"s3:authtype": func(r *Request) ([]string, bool) {
		if r.Anonymous {
			return nil, false
		}
		if r.Operation == "PostObject" {
			return singleValue("POST")
		}
		if r.SignedByQuery {
			return singleValue("REST-QUERY-STRING")
		}
		return singleValue("REST-HEADER")
	},
	"s3:locationconstraint": func(r *Request) ([]string, bool) { return singleValue(r.Region) },
	"s3:object-lock-remaining-retention-days": func(r *Request) ([]string, bool) {
		end, err := time.Parse(time.RFC3339, r.Header.Get(retainUntil))
		return []string{strconv.Itoa(int(end.Sub(r.Now) / (24 * time.Hour)))}, err == nil
	},
	"s3:objectcreationoperation": func(r *Request) ([]string, bool) {
		switch r.Operation {
		case "PutObject", "PostObject", "CopyObject", "CompleteMultipartUpload":
			return singleValue("true")
		}
		return singleValue("false")
	},
	"s3:requestobjecttagkeys": func(r *Request) (keys []string, present bool) {
		for _, t := range r.requestTags() {
			keys = append(keys, t.Key)
		}
		return keys, len(keys) > 0
	},
	"s3:resourceaccount": func(r *Request) ([]string, bool) { return singleValue(r.Owner) },
	"s3:signatureage": func(r *Request) ([]string, bool) {
		if r.Algorithm == "AWS" { // signature version 2; AWS uses an age of 0
			return singleValue("0")
		}
		t, err := time.Parse("20060102T150405Z", r.SignedAt)
		return []string{strconv.FormatInt(r.Now.Sub(t).Milliseconds(), 10)}, err == nil
	},
	"s3:signatureversion": func(r *Request) ([]string, bool) { return []string{r.Algorithm}, !r.Anonymous },
	"s3:tlsversion": func(r *Request) ([]string, bool) {
		if r.TLS == nil {
			return nil, false
		}
		return singleValue(strings.TrimPrefix(tls.VersionName(r.TLS.Version), "TLS "))
	},
	"s3:x-amz-copy-source": func(r *Request) ([]string, bool) {
		path, _, _ := strings.Cut(r.Header.Get("X-Amz-Copy-Source"), "?")
		name, err := url.QueryUnescape(path)
		return []string{strings.TrimPrefix(name, "/")}, path != "" && err == nil
	},
}
