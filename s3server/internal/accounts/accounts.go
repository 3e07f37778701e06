// Package accounts has the canonical ids and the names with which S3 shows accounts.
package accounts

import (
	"crypto/sha256"
	"encoding/hex"
)

// defaultAccount is s3server.DefaultAccountID.
const defaultAccount = "123456789012"

// anonymousID is the canonical id that AWS shows as the owner of objects that anonymous
// requests have written.
const anonymousID = "65a011a29cdf8ec533ec3d1ccaae921c"

// An Owner is an account in the form of XML documents.
type Owner struct {
	ID          string
	DisplayName string `xml:",omitempty"`
}

// OwnerOf returns the canonical id and the name of an account. "" is the anonymous one.
func OwnerOf(account string) Owner {
	switch account {
	case "":
		return Owner{ID: anonymousID}
	case defaultAccount:
		return Owner{"75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a", "owner"}
	}
	id := sha256.Sum256([]byte(account))
	return Owner{hex.EncodeToString(id[:]), account}
}
