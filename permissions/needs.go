package permissions

import (
	"cmp"
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

// fullNames returns the sorted permissions of an operation at a provider by their whole names. The
// fields of n leave out the prefix that most of the names have, such as "s3:".
func (n needs) fullNames(o Operation, p Provider) []string {
	switch p {
	case AWS:
		return sortPermissions(addPrefix("s3:", n.amazon, "kms:"))
	case MinIO:
		return minioActions(o, addPrefix("s3:", n.amazon, "kms:"))
	case Google:
		return sortPermissions(addPrefix("storage.", n.google, "iam.", "serviceusage."))
	case Azure:
		return sortPermissions(addPrefix(
			"containers/", n.azureRole, "containers/", "read", "write", "generate", accountKey,
		))
	default:
		return sortLetters(strings.Fields(n.azureSAS))
	}
}

// addPrefix splits text at spaces into names, and adds prefix to each. A name that begins with one of
// otherPrefixes is a whole name already, and stays as it is. So does the mark unsupported.
func addPrefix(prefix, text string, otherPrefixes ...string) []string {
	words := strings.Fields(text)
	for i, word := range words {
		if word == unsupported || hasAnyPrefix(word, otherPrefixes) {
			continue
		}
		words[i] = prefix + word
	}
	return words
}

// hasAnyPrefix reports whether word begins with one of the prefixes.
func hasAnyPrefix(word string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(word, prefix) })
}

// sortPermissions sorts permissions in place, and removes repeated ones.
func sortPermissions(permissions []string) []string {
	slices.Sort(permissions)
	return slices.Compact(permissions)
}

// azureLetterOrder has the letters of a shared access signature in the order that Azure requires.
//
// https://learn.microsoft.com/rest/api/storageservices/create-service-sas#specify-permissions
const azureLetterOrder = "racwdxyltmeopi"

// sortLetters sorts the letters of a shared access signature in place, in the order that Azure
// requires, and removes repeated ones. A letter with an ending, such as "r(c)", follows the letter
// itself.
func sortLetters(letters []string) []string {
	slices.SortFunc(letters, func(a, b string) int {
		indexA := strings.Index(azureLetterOrder, a[:1])
		indexB := strings.Index(azureLetterOrder, b[:1])
		return cmp.Or(cmp.Compare(indexA, indexB), cmp.Compare(a, b))
	})
	return slices.Compact(letters)
}
