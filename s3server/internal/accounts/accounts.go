// Package accounts has the credentials of accounts, and converts account ids to the canonical ids and
// display names that S3 shows.
package accounts

import (
	"crypto/sha256"
	"encoding/hex"
)

// defaultAccount equals s3server.DefaultAccountID. This package cannot import s3server.
const defaultAccount = "123456789012"

// anonymousID is the canonical id that AWS shows as the owner of objects that anonymous
// requests have written.
const anonymousID = "65a011a29cdf8ec533ec3d1ccaae921c"

// An Owner is the XML element that names an account.
type Owner struct {
	ID          string
	DisplayName string `xml:",omitempty"`
}

// OwnerOf returns the canonical id and the display name of an account, or those of anonymous callers if account is "".
func OwnerOf(account string) Owner {
	switch account {
	case "":
		return Owner{ID: anonymousID}
	case defaultAccount:
		// This is the owner's id in examples of AWS's manual.
		return Owner{
			ID:          "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a",
			DisplayName: "owner",
		}
	}

	// The hash has the length of AWS's ids.
	id := sha256.Sum256([]byte(account))
	return Owner{ID: hex.EncodeToString(id[:]), DisplayName: account}
}
