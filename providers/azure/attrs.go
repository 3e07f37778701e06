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
func attrsOfHead(p *blob.GetPropertiesResponse, key string) (*storage.Attrs, error) {
	if p.ContentLength == nil {
		return nil, httpheader.LengthMissing()
	}
	return attrsOf(p, key), nil
}

// attrsOf returns the attributes of an object in a response with its properties. A missing property
// is zero.
func attrsOf(p *blob.GetPropertiesResponse, key string) *storage.Attrs {
	a := &storage.Attrs{
		Key:  key,
		Size: deref(p.ContentLength),
		Properties: storage.Properties{
			ContentType:        deref(p.ContentType),
			ContentEncoding:    deref(p.ContentEncoding),
			ContentDisposition: deref(p.ContentDisposition),
			ContentLanguage:    deref(p.ContentLanguage),
			CacheControl:       deref(p.CacheControl),
			StorageClass:       storageClass(p.AccessTier, deref(p.AccessTierInferred)),
		},
		ETag:              quoteETag(p.ETag),
		Revision:          quoteETag(p.ETag),
		Version:           deref(p.VersionID),
		Modified:          wholeSeconds(p.LastModified),
		TagCount:          int(deref(p.TagCount)),
		Retention:         retentionOf(p),
		LegalHold:         deref(p.LegalHold),
		Encryption:        encryption(p.IsServerEncrypted, p.EncryptionScope, p.EncryptionKeySHA256),
		Archived:          deref(p.AccessTier) == string(blob.AccessTierArchive),
		Restore:           storage.RestoreState{InProgress: strings.HasPrefix(deref(p.ArchiveStatus), pendingPrefix)},
		ReplicationStatus: replicationStatus(p.ObjectReplicationRules),
	}
	addMetadata(a, p.Metadata, p.ContentMD5)
	return a
}

// addMetadata adds metadata and checksums to attrs. It ignores the MD5 of an object without this
// package's checksum, because another tool may have sent a wrong one: Azure does not verify an MD5
// that is sent with Put Block List.
func addMetadata(a *storage.Attrs, metadata map[string]*string, md5 []byte) {
	a.Metadata, a.CRC32C = decodeMetadata(metadata, a.Size)
	if a.CRC32C.Known {
		a.MD5 = md5
	}
}

// encryption returns how the service encrypts an object, always by AES256. The key is that of the
// customer or of an encryption scope.
func encryption(encrypted *bool, scope, keySHA256 *string) storage.Encryption {
	if !deref(encrypted) {
		return storage.Encryption{}
	}
	return storage.Encryption{
		Algorithm: string(blob.EncryptionAlgorithmTypeAES256),
		KeyID:     deref(cmp.Or(keySHA256, scope)),
	}
}

// replicationStatus returns the worst status of an object's replication rules, from "failed" to
// "complete". The keys of rules come from headers and have the form "policy_rule".
func replicationStatus(rules map[string]*string) string {
	worst := ""
	for name, value := range rules {
		if strings.EqualFold(name, "policy-id") {
			// This is no rule: it names the policy that made this replica.
			continue
		}
		status := deref(value)
		if worst == "" || strings.EqualFold(worst, "complete") || strings.EqualFold(status, "failed") {
			worst = status
		}
	}
	return worst
}
