package agents

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/omnibucket/storage"
)

type statIn struct {
	Key string `json:"key" jsonschema:"key of the object"`
}

// A statOut has the attributes of an object that an agent may see. It leaves out attributes that
// describe the account: encryption keys, versions and replication.
type statOut struct {
	Key                string            `json:"key"`
	Size               int64             `json:"size" jsonschema:"bytes"`
	ContentType        string            `json:"contentType,omitempty"`
	ContentEncoding    string            `json:"contentEncoding,omitempty" jsonschema:"no tool decodes it"`
	ContentDisposition string            `json:"contentDisposition,omitempty"`
	ContentLanguage    string            `json:"contentLanguage,omitempty"`
	CacheControl       string            `json:"cacheControl,omitempty"`
	Metadata           map[string]string `json:"metadata,omitempty"`
	StorageClass       string            `json:"storageClass,omitempty"`
	ETag               string            `json:"etag,omitempty"`
	Revision           string            `json:"revision,omitempty" jsonschema:"opaque text for ifRevision"`
	Modified           time.Time         `json:"modified,omitzero"`
	CRC32C             string            `json:"crc32c,omitempty"`
	MD5                string            `json:"md5,omitempty"`
	Archived           bool              `json:"archived,omitempty" jsonschema:"whether read fails"`
	RetainedUntil      time.Time         `json:"retainedUntil,omitzero" jsonschema:"nobody can remove it earlier"`
	LegalHold          bool              `json:"legalHold,omitempty"`
}

// addStat offers clients the tool that reads the attributes of an object of b.
func (s *server) addStat(b storage.AttrsReader) {
	add(s, &mcp.Tool{
		Name:        toolStat,
		Annotations: annotations("Describe an object", effects{readOnly: true, idempotent: true}),
		Description: "Reads the attributes of an object, such as size, content type and revision. " + untrusted,
	}, func(ctx context.Context, args statIn) (*mcp.CallToolResult, statOut, error) {
		if err := checkKey("key", args.Key); err != nil {
			return nil, statOut{}, err
		}
		attrs, err := b.Attrs(ctx, args.Key)
		if err != nil {
			return nil, statOut{}, err
		}
		return nil, describe(attrs), nil
	})
}

// describe returns those attributes that an agent may see.
func describe(a *storage.Attrs) statOut {
	return statOut{
		Key:                a.Key,
		Size:               a.Size,
		ContentType:        a.ContentType,
		ContentEncoding:    a.ContentEncoding,
		ContentDisposition: a.ContentDisposition,
		ContentLanguage:    a.ContentLanguage,
		CacheControl:       a.CacheControl,
		Metadata:           a.Metadata,
		StorageClass:       a.StorageClass,
		ETag:               a.ETag,
		Revision:           a.Revision,
		Modified:           a.Modified,
		CRC32C:             a.CRC32C.String(),
		MD5:                hex.EncodeToString(a.MD5),
		Archived:           a.Archived,
		RetainedUntil:      a.Retention.Until,
		LegalHold:          a.LegalHold,
	}
}
