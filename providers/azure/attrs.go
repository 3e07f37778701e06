package azure

import (
	"cmp"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

// propertiesOf converts the response to a read into the type for the response to a HEAD, which
// attrsOf needs. inferred is true if the access tier is the account's default.
func propertiesOf(resp *blob.DownloadResponse, inferred bool) *blob.GetPropertiesResponse {
	return &blob.GetPropertiesResponse{
		ContentType:                 resp.ContentType,
		ContentEncoding:             resp.ContentEncoding,
		ContentDisposition:          resp.ContentDisposition,
		ContentLanguage:             resp.ContentLanguage,
		CacheControl:                resp.CacheControl,
		ContentMD5:                  resp.ContentMD5,
		AccessTier:                  resp.AccessTier,
		AccessTierInferred:          &inferred,
		ETag:                        resp.ETag,
		VersionID:                   resp.VersionID,
		LastModified:                resp.LastModified,
		Metadata:                    resp.Metadata,
		TagCount:                    resp.TagCount,
		LegalHold:                   resp.LegalHold,
		ImmutabilityPolicyMode:      resp.ImmutabilityPolicyMode,
		ImmutabilityPolicyExpiresOn: resp.ImmutabilityPolicyExpiresOn,
		IsServerEncrypted:           resp.IsServerEncrypted,
		EncryptionScope:             resp.EncryptionScope,
		EncryptionKeySHA256:         resp.EncryptionKeySHA256,
		ObjectReplicationRules:      resp.ObjectReplicationRules,
	}
}

// attrsOfHead returns the attributes in the response to a HEAD, and fails if the response has no
// size.
func attrsOfHead(props *blob.GetPropertiesResponse, key string) (*storage.Attrs, error) {
	if props.ContentLength == nil {
		return nil, httpheader.LengthMissing()
	}
	return attrsOf(props, key), nil
}

// attrsOf returns the attributes of an object in a response with its properties. A missing property
// is zero.
func attrsOf(props *blob.GetPropertiesResponse, key string) *storage.Attrs {
	attrs := &storage.Attrs{
		Key:  key,
		Size: deref(props.ContentLength),
		Properties: storage.Properties{
			ContentType:        deref(props.ContentType),
			ContentEncoding:    deref(props.ContentEncoding),
			ContentDisposition: deref(props.ContentDisposition),
			ContentLanguage:    deref(props.ContentLanguage),
			CacheControl:       deref(props.CacheControl),
			StorageClass:       storageClass(props.AccessTier, deref(props.AccessTierInferred)),
		},
		ETag:              quoteETag(props.ETag),
		Revision:          quoteETag(props.ETag),
		Version:           deref(props.VersionID),
		Modified:          wholeSeconds(props.LastModified),
		TagCount:          int(deref(props.TagCount)),
		Retention:         retentionOf(props),
		LegalHold:         deref(props.LegalHold),
		Encryption:        encryption(props.IsServerEncrypted, props.EncryptionScope, props.EncryptionKeySHA256),
		Archived:          deref(props.AccessTier) == string(blob.AccessTierArchive),
		Restore:           storage.RestoreState{InProgress: strings.HasPrefix(deref(props.ArchiveStatus), pendingPrefix)},
		ReplicationStatus: replicationStatus(props.ObjectReplicationRules),
	}
	addMetadata(attrs, props.Metadata, props.ContentMD5)
	return attrs
}

// addMetadata adds metadata and checksums to attrs. It ignores the MD5 of an object without this
// package's checksum: another tool may have sent a wrong one, which Azure does not verify with Put
// Block List.
func addMetadata(attrs *storage.Attrs, metadata map[string]*string, md5 []byte) {
	attrs.Metadata, attrs.CRC32C = decodeMetadata(metadata, attrs.Size)
	if attrs.CRC32C.Known {
		attrs.MD5 = md5
	}
}

// encryption returns how the service encrypts an object, which is always by AES256. The KeyID is the
// SHA256 of the customer's key, or otherwise the name of the encryption scope.
func encryption(encrypted *bool, scope, keySHA256 *string) storage.Encryption {
	if !deref(encrypted) {
		return storage.Encryption{}
	}
	return storage.Encryption{
		Algorithm: string(blob.EncryptionAlgorithmTypeAES256),
		KeyID:     deref(cmp.Or(keySHA256, scope)),
	}
}

// replicationStatus returns the worst status of an object's replication rules, or "" without rules. The
// worst is "failed", and the best is "complete". The keys of rules come from headers and have the form
// "policy_rule".
func replicationStatus(rules map[string]*string) string {
	worst := ""
	for name, value := range rules {
		if strings.EqualFold(name, "policy-id") {
			// This is not a rule: it names the policy that made this replica.
			continue
		}
		// Every other status is better than "failed" and worse than "complete".
		status := deref(value)
		hasFailed := strings.EqualFold(status, "failed")
		if worst == "" || strings.EqualFold(worst, "complete") || hasFailed {
			worst = status
		}
	}
	return worst
}
