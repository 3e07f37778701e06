package s3server

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/tagging"
)

const (
	existingTag = "s3:existingobjecttag/"
	requestTag  = "s3:requestobjecttag/"
)

// conditionKey returns a key in the form in which it is looked up: in lower case, but for
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

// absentKeys are keys of AWS that no request to this server has: it has no networks,
// organizations, access points, services and temporary sessions.
var absentKeys = []string{
	"aws:calledvia", "aws:calledviafirst", "aws:calledvialast", "aws:federatedprovider", "aws:multifactorauthage", "aws:multifactorauthpresent",
	"aws:principalorgid", "aws:principalorgpaths", "aws:principalservicename", "aws:principalservicenameslist", "aws:resourceorgid",
	"aws:resourceorgpaths", "aws:sourceaccount", "aws:sourcearn", "aws:sourceidentity", "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourceowner",
	"aws:sourcevpc", "aws:sourcevpcarn", "aws:sourcevpce", "aws:tokenissuetime", "aws:username", "aws:vpcsourceip",
	"s3:accesspointnetworkorigin", "s3:dataaccesspointaccount", "s3:dataaccesspointarn", "s3:jobsuspendedcause",
}

// headerKeys are the keys whose value is a header of the request.
var headerKeys = []string{
	"s3:x-amz-acl", "s3:x-amz-content-sha256", "s3:x-amz-grant-full-control", "s3:x-amz-grant-read", "s3:x-amz-grant-read-acp", "s3:x-amz-grant-write",
	"s3:x-amz-grant-write-acp", "s3:x-amz-metadata-directive", "s3:x-amz-object-ownership", "s3:x-amz-server-side-encryption",
	"s3:x-amz-server-side-encryption-aws-kms-key-id", "s3:x-amz-server-side-encryption-customer-algorithm", "s3:x-amz-storage-class",
	"s3:x-amz-website-redirect-location", "s3:if-match", "s3:if-none-match",
}

// renamedHeaders are the keys that have another name than their header.
var renamedHeaders = map[string]string{
	"aws:referer":                      "Referer",
	"aws:useragent":                    "User-Agent",
	"s3:object-lock-legal-hold":        lockHold,
	"s3:object-lock-mode":              lockMode,
	"s3:object-lock-retain-until-date": lockUntil,
}

// queryKeys are the keys whose value is a parameter of the query.
var queryKeys = map[string]string{"s3:delimiter": "delimiter", "s3:max-keys": "max-keys", "s3:prefix": "prefix", "s3:versionid": "versionId"}

// knownConditionKey reports whether the server knows what the key means.
func knownConditionKey(key string) bool {
	if strings.HasPrefix(key, existingTag) || strings.HasPrefix(key, requestTag) {
		return true
	}
	return slices.Contains(absentKeys, key) || slices.Contains(headerKeys, key) || renamedHeaders[key] != "" || queryKeys[key] != "" || computedKeys[key] != nil
}

// conditionValues returns the values of a key for this access, and whether it has any.
func (a *access) conditionValues(key string) (values []string, present bool) {
	switch {
	case strings.HasPrefix(key, existingTag):
		v := a.version()
		if v == nil {
			return nil, false
		}
		return tagValue(v.object.properties.tags, key[len(existingTag):])
	case strings.HasPrefix(key, requestTag):
		return tagValue(a.requestTags(), key[len(requestTag):])
	case slices.Contains(headerKeys, key):
		return a.headerValue(strings.TrimPrefix(key, "s3:"))
	case renamedHeaders[key] != "":
		return a.headerValue(renamedHeaders[key])
	case key == "s3:prefix" && a.prefix != nil:
		return []string{*a.prefix}, true
	case key == "s3:versionid" && a.id != "": // in a batch and in the source of a copy, it is no parameter
		return one(a.id)
	case queryKeys[key] != "":
		name := queryKeys[key]
		return []string{a.request.query.Get(name)}, a.request.has(name) // the value that counts, if there are more
	case computedKeys[key] != nil:
		return computedKeys[key](a)
	}
	return nil, false
}

// judgedBefore reports whether CreateMultipartUpload has set what the key is about. The later
// requests of the upload do not have it.
func (a *access) judgedBefore(key string) bool {
	switch a.request.operation {
	case "UploadPart", "UploadPartCopy", "CompleteMultipartUpload":
	default:
		return false
	}
	if a.action != "s3:PutObject" {
		return false
	}
	for _, prefix := range []string{
		requestTag, "s3:requestobjecttagkeys", "s3:x-amz-acl", "s3:x-amz-grant-", "s3:x-amz-server-side-encryption", "s3:x-amz-storage-class",
		"s3:x-amz-website-redirect-location", "s3:object-lock-",
	} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

func (a *access) headerValue(name string) ([]string, bool) {
	value := a.header.Get(name)
	return []string{value}, value != ""
}

func one(value string) ([]string, bool) { return []string{value}, true }

func tagValue(tags []tagging.Tag, name string) ([]string, bool) {
	for _, t := range tags {
		if t.Key == name {
			return one(t.Value)
		}
	}
	return nil, false
}

// requestTags returns the tags that a write gives its object.
func (a *access) requestTags() []tagging.Tag {
	if a.tags != nil {
		return a.tags
	}
	tags, _ := tagging.ReadHeader(a.header.Get("X-Amz-Tagging")) // the operation reports an error
	return tags
}

// computedKeys are the keys whose value is neither a header nor a parameter.
var computedKeys = map[string]func(*access) ([]string, bool){
	"aws:currenttime": func(a *access) ([]string, bool) { return one(a.request.server.now().Format(time.RFC3339)) },
	"aws:epochtime":   func(a *access) ([]string, bool) { return one(strconv.FormatInt(a.request.server.now().Unix(), 10)) },
	"aws:principalaccount": func(a *access) ([]string, bool) {
		return []string{a.caller.account}, !a.caller.anonymous
	},
	"aws:principalarn": func(a *access) ([]string, bool) {
		return []string{"arn:aws:iam::" + a.caller.account + ":root"}, !a.caller.anonymous
	},
	"aws:principalisawsservice": func(*access) ([]string, bool) { return one("false") },
	"aws:principaltype": func(a *access) ([]string, bool) {
		if a.caller.anonymous {
			return one("Anonymous")
		}
		return one("Account")
	},
	"aws:requestedregion": func(a *access) ([]string, bool) { return one(a.bucket.region) },
	"aws:resourceaccount": func(a *access) ([]string, bool) { return one(a.bucket.account) },
	"aws:securetransport": func(a *access) ([]string, bool) { return one(strconv.FormatBool(a.request.TLS != nil)) },
	"aws:sourceip": func(a *access) ([]string, bool) {
		host, _, err := net.SplitHostPort(a.request.RemoteAddr)
		return []string{host}, err == nil
	},
	"aws:userid": func(a *access) ([]string, bool) {
		if a.caller.anonymous {
			return one("anonymous")
		}
		return one(a.caller.account)
	},
	"aws:viaawsservice": func(*access) ([]string, bool) { return one("false") },
	"s3:authtype": func(a *access) ([]string, bool) {
		switch {
		case a.caller.anonymous:
			return nil, false
		case a.request.operation == "PostObject":
			return one("POST")
		case a.request.Header.Get("Authorization") == "":
			return one("REST-QUERY-STRING")
		}
		return one("REST-HEADER")
	},
	"s3:locationconstraint": func(a *access) ([]string, bool) { return one(a.bucket.region) },
	"s3:object-lock-remaining-retention-days": func(a *access) ([]string, bool) {
		until, err := time.Parse(time.RFC3339, a.header.Get(lockUntil))
		return []string{strconv.Itoa(int(until.Sub(a.request.server.now()) / (24 * time.Hour)))}, err == nil
	},
	"s3:objectcreationoperation": func(a *access) ([]string, bool) {
		switch a.request.operation {
		case "PutObject", "PostObject", "CopyObject", "CompleteMultipartUpload":
			return one("true")
		}
		return one("false")
	},
	"s3:requestobjecttagkeys": func(a *access) (keys []string, present bool) {
		for _, t := range a.requestTags() {
			keys = append(keys, t.Key)
		}
		return keys, len(keys) > 0
	},
	"s3:resourceaccount": func(a *access) ([]string, bool) { return one(a.bucket.account) },
	"s3:signatureage": func(a *access) ([]string, bool) {
		at, err := time.Parse(timestampForm, a.caller.timestamp)
		return []string{strconv.FormatInt(a.request.server.now().Sub(at).Milliseconds(), 10)}, err == nil
	},
	"s3:signatureversion": func(a *access) ([]string, bool) { return []string{a.caller.algorithm}, !a.caller.anonymous },
	"s3:tlsversion": func(a *access) ([]string, bool) {
		if a.request.TLS == nil {
			return nil, false
		}
		const tls10 = 0x0301
		return one("1." + strconv.Itoa(int(a.request.TLS.Version)-tls10))
	},
	"s3:x-amz-copy-source": func(a *access) ([]string, bool) {
		path, _, _ := strings.Cut(a.header.Get(copySource), "?")
		name, err := url.QueryUnescape(path)
		return []string{strings.TrimPrefix(name, "/")}, path != "" && err == nil
	},
}
