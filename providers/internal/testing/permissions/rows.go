package permissions

import (
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// Unsupported stands in place of permissions if the provider does not support an operation.
const Unsupported = "-"

// A Role is a program that has the permissions of a row.
type Role int

// The roles. Full has the permissions of the others.
const (
	None   Role = iota
	Reader      // reads and lists
	Writer      // stores objects and does not read them
	Full        // does everything with objects except for locks, keys and access lists
)

// A Row is a row of docs/permissions.md: an operation with its options, and the permissions that
// its requests need.
type Row struct {
	Section, Name string
	Needs         Needs
	Role          Role
	Kind          Kind
	setup         func(*env) error // requests that do not count; may be nil
	do            func(*env) error
}

// Needs has permissions, separated by spaces, by the providers' names, but without "s3:",
// "storage." and "containers/". "" means none.
type Needs struct{ Amazon, Google, AzureRole, AzureSignature string }

// of returns the permissions in full, in order.
func (n Needs) of(c Credential) []string { return ordered(c, n.inFull(c)) }

func (n Needs) inFull(c Credential) []string {
	switch c {
	case Amazon:
		return withPrefix("s3:", n.Amazon, "kms:")
	case Google:
		return withPrefix("storage.", n.Google, "iam.", "serviceusage.")
	case AzureRole:
		return withPrefix("containers/", n.AzureRole, "containers/", "read", "write", "generate", accountKey)
	default:
		return withPrefix("", n.AzureSignature)
	}
}

// withPrefix adds a prefix to the words that begin with none of the others.
func withPrefix(prefix, text string, others ...string) []string {
	all := fields(text)
	for i, word := range all {
		if !beginsWithAny(word, others) {
			all[i] = prefix + word
		}
	}
	return all
}

func beginsWithAny(word string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(word, prefix) {
			return true
		}
	}
	return word == Unsupported
}

var (
	someTags  = map[string]string{"team": "blue"}
	otherTags = map[string]string{"team": "red"}
	governed  = storage.Retention{Until: time.Now().Add(24 * time.Hour), Mode: storage.Governance}
	shorter   = storage.Retention{Until: time.Now().Add(time.Hour), Mode: storage.Governance}
	someCORS  = storage.CORSRule{Origins: []string{"https://example.com"}, Methods: []string{"PUT"}}
	someRule  = storage.LifecycleRule{Prefix: "tmp/", ExpireAfterDays: 3}
)

// Rows are the rows of the page, in order.
var Rows = joined(objectRows, controlRows, signingRows, bucketRows)

func joined(sections ...[]Row) (all []Row) {
	for _, section := range sections {
		for _, row := range section {
			row.Section = section[0].Section
			all = append(all, row)
		}
	}
	return all
}
