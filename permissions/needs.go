package permissions

import (
	"slices"
	"strings"
)

const (
	// unsupported is used in place of permissions if the provider does not support an operation.
	unsupported = "-"
	// accountKey means that a request needs the account's key, because no role and no shared access
	// signature permits it.
	accountKey = "account-key"
)

// A needs struct lists the permissions of one operation, in one field for each provider. Spaces
// separate the permissions in a field. "" means that the operation needs no permission. The names
// leave out "s3:", "storage." and "containers/". The permissions of MinIO are derived from
// Amazon's.
type needs struct{ amazon, google, azureRole, azureSAS string }

// inFull returns the permissions of an operation at a provider with their whole names, sorted.
func (n needs) inFull(o Operation, p Provider) []string {
	switch p {
	case AWS:
		return ordered(withPrefix("s3:", n.amazon, "kms:"))
	case MinIO:
		return minioActions(o, withPrefix("s3:", n.amazon, "kms:"))
	case Google:
		return ordered(withPrefix("storage.", n.google, "iam.", "serviceusage."))
	case Azure:
		return ordered(withPrefix("containers/", n.azureRole, "containers/", "read", "write", "generate", accountKey))
	default:
		return orderedLetters(strings.Fields(n.azureSAS))
	}
}

// withPrefix splits text into words, and adds prefix to each word. A word stays as it is if it
// already begins with a prefix in the list others.
func withPrefix(prefix, text string, others ...string) []string {
	all := strings.Fields(text)
	for i, word := range all {
		begins := func(other string) bool { return strings.HasPrefix(word, other) }
		if word != unsupported && !slices.ContainsFunc(others, begins) {
			all[i] = prefix + word
		}
	}
	return all
}

// ordered sorts permissions, and removes repeated ones.
func ordered(all []string) []string {
	slices.Sort(all)
	return slices.Compact(all)
}

// orderedLetters sorts the letters of a shared access signature in the order that Azure requires,
// and removes repeated ones.
//
// https://learn.microsoft.com/rest/api/storageservices/create-service-sas#specify-permissions
func orderedLetters(all []string) []string {
	slices.Sort(all)
	slices.SortStableFunc(all, func(a, b string) int {
		return strings.Index("racwdxyltmeopi", a[:1]) - strings.Index("racwdxyltmeopi", b[:1])
	})
	return slices.Compact(all)
}
