package reading

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/bucketrules"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// Stat returns the command stat, which shows the attributes of an object or the settings of a
// bucket.
func Stat(p *program.Program) *cobra.Command {
	var literal bool
	var version string
	c := &cobra.Command{
		Use:   "stat [flags] LOCATION...",
		Short: "Show all attributes of an object, or of a bucket",
		Long: `Shows all attributes that the store has of an object or, without a key, of the
bucket. Unknown attributes are omitted.
` + program.WildcardHelp,
		Example: `  omnibucket stat 's3://photos/2026/a.jpg?region=eu-west-1'
  omnibucket stat --json file:///srv/files#report.pdf
  omnibucket stat gs://photos`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var opts []storage.AttrsOption
			if c.Flags().Changed("version") {
				opts = append(opts, storage.WithVersion(version))
			}
			s := statPrinter{program: p, literal: literal, opts: opts}
			return program.Each(c.Context(), p, args, func(text string) error {
				return s.print(c.Context(), text)
			})
		},
	}

	c.Flags().StringVar(&version, "version", "", "show this `version`")
	program.LiteralFlag(c, &literal)
	return c
}

// A statPrinter prints attributes of objects and buckets, with an empty line between two of them.
type statPrinter struct {
	program *program.Program
	literal bool
	opts    []storage.AttrsOption
	count   int // number of objects and buckets that were printed
}

// print prints the attributes of the objects that text names, or the settings of a bucket.
func (s *statPrinter) print(ctx context.Context, text string) error {
	l, err := s.program.Stores.LocateExisting(text)
	if err != nil {
		return err
	}
	if l.Key == "" {
		if len(s.opts) > 0 {
			return argument.Invalid("--version must be used with a key", "")
		}
		s.printSeparator()
		return StatBucket(ctx, s.program, l, s.program.Global.JSON)
	}

	return s.program.EachMatch(ctx, text, s.literal, func(b storage.Bucket, l location.Location) error {
		attrs, err := b.Attrs(ctx, l.Key, s.opts...)
		if err != nil {
			return err
		}
		s.printSeparator()
		return printAttrs(s.program, attrs, s.program.Global.JSON)
	})
}

// printSeparator prints an empty line between two results. It is called before each result.
func (s *statPrinter) printSeparator() {
	s.count++
	if s.count > 1 && !s.program.Global.JSON {
		s.program.Out.Printf("\n")
	}
}

// printAttrs prints the attributes of an object.
func printAttrs(p *program.Program, attrs *storage.Attrs, asJSON bool) error {
	if asJSON {
		return p.Out.JSON(AttrsLine{
			Key:                attrs.Key,
			Size:               attrs.Size,
			ContentType:        attrs.ContentType,
			ContentEncoding:    attrs.ContentEncoding,
			ContentDisposition: attrs.ContentDisposition,
			ContentLanguage:    attrs.ContentLanguage,
			CacheControl:       attrs.CacheControl,
			StorageClass:       attrs.StorageClass,
			Metadata:           attrs.Metadata,
			ETag:               attrs.ETag,
			Revision:           attrs.Revision,
			Version:            attrs.Version,
			Modified:           attrs.Modified,
			CRC32C:             checksum(attrs),
			MD5:                hex.EncodeToString(attrs.MD5),
			TagCount:           attrs.TagCount,
			RetentionMode:      string(attrs.Retention.Mode),
			RetainUntil:        attrs.Retention.Until,
			LegalHold:          attrs.LegalHold,
			Encryption:         attrs.Encryption.Algorithm,
			EncryptionKey:      attrs.Encryption.KeyID,
			Replication:        attrs.ReplicationStatus,
			Archived:           attrs.Archived,
			Restoring:          attrs.Restore.InProgress,
			RestoredUntil:      attrs.Restore.Until,
		})
	}

	rows := [][2]string{
		{"key", attrs.Key},
		{"size", strconv.FormatInt(attrs.Size, 10)},
		{"content type", attrs.ContentType},
		{"content encoding", attrs.ContentEncoding},
		{"content disposition", attrs.ContentDisposition},
		{"content language", attrs.ContentLanguage},
		{"cache control", attrs.CacheControl},
		{"storage class", attrs.StorageClass},
	}
	for _, name := range slices.Sorted(maps.Keys(attrs.Metadata)) {
		rows = append(rows, [2]string{"metadata " + name, attrs.Metadata[name]})
	}
	rows = append(rows, [][2]string{
		{"etag", attrs.ETag},
		{"revision", attrs.Revision},
		{"version", attrs.Version},
		{"modified", console.FormatTimeIfSet(attrs.Modified)},
		{"crc32c", checksum(attrs)},
		{"md5", hex.EncodeToString(attrs.MD5)},
	}...)
	return p.Out.Table(append(rows, controlRows(attrs)...))
}

// controlRows returns rows for the settings of an object, such as encryption, tags and locks.
func controlRows(attrs *storage.Attrs) [][2]string {
	rows := [][2]string{
		{"encryption", attrs.Encryption.Algorithm},
		{"encryption key", attrs.Encryption.KeyID},
		{"replication", attrs.ReplicationStatus},
		{"restored until", console.FormatTimeIfSet(attrs.Restore.Until)},
	}
	if attrs.Archived {
		rows = append(rows, [2]string{"archived", "yes"})
	}
	if attrs.TagCount > 0 {
		rows = append(rows, [2]string{"tags", strconv.Itoa(attrs.TagCount)})
	}
	if r := attrs.Retention; r != (storage.Retention{}) {
		rows = append(rows, [2]string{"retention", string(r.Mode) + " until " + console.FormatTime(r.Until)})
	}
	if attrs.LegalHold {
		rows = append(rows, [2]string{"legal hold", "true"})
	}
	if attrs.Restore.InProgress {
		rows = append(rows, [2]string{"restore", "in progress"})
	}
	return rows
}

// An AttrsLine is Attrs in JSON.
type AttrsLine struct {
	Key                string            `json:"key"`
	Size               int64             `json:"size"`
	ContentType        string            `json:"contentType,omitempty"`
	ContentEncoding    string            `json:"contentEncoding,omitempty"`
	ContentDisposition string            `json:"contentDisposition,omitempty"`
	ContentLanguage    string            `json:"contentLanguage,omitempty"`
	CacheControl       string            `json:"cacheControl,omitempty"`
	StorageClass       string            `json:"storageClass,omitempty"`
	Metadata           map[string]string `json:"metadata,omitempty"`
	ETag               string            `json:"etag,omitempty"`
	Revision           string            `json:"revision,omitempty"`
	Version            string            `json:"version,omitempty"`
	Modified           time.Time         `json:"modified,omitzero"`
	CRC32C             string            `json:"crc32c,omitempty"`
	MD5                string            `json:"md5,omitempty"`
	TagCount           int               `json:"tagCount,omitempty"`
	RetentionMode      string            `json:"retentionMode,omitempty"`
	RetainUntil        time.Time         `json:"retainUntil,omitzero"`
	LegalHold          bool              `json:"legalHold,omitempty"`
	Encryption         string            `json:"encryption,omitempty"`
	EncryptionKey      string            `json:"encryptionKey,omitempty"`
	Replication        string            `json:"replication,omitempty"`
	Archived           bool              `json:"archived,omitempty"`
	Restoring          bool              `json:"restoring,omitempty"`
	RestoredUntil      time.Time         `json:"restoredUntil,omitzero"`
}

// checksum returns the CRC32C of an object in hexadecimal digits, or "" if it is not known.
func checksum(attrs *storage.Attrs) string {
	if !attrs.CRC32C.Known {
		return ""
	}
	return fmt.Sprintf("%08x", attrs.CRC32C.Sum)
}

// An InfoLine is a BucketInfo in JSON. The command "omnibucket bucket" accepts CORS and Lifecycle
// in the same format.
type InfoLine struct {
	Name             string                      `json:"name"`
	Provider         string                      `json:"provider"`
	Region           string                      `json:"region,omitempty"`
	Created          time.Time                   `json:"created,omitzero"`
	Public           bool                        `json:"public"`
	Versioning       bool                        `json:"versioning"`
	CORS             []bucketrules.CORSLine      `json:"cors,omitempty"`
	Lifecycle        []bucketrules.LifecycleLine `json:"lifecycle,omitempty"`
	ObjectLock       bool                        `json:"objectLock,omitempty"`
	DefaultRetention retentionLine               `json:"defaultRetention,omitzero"`
	SoftDelete       string                      `json:"softDelete,omitempty"` // such as "168h"
	Unread           []string                    `json:"unread,omitempty"`     // such as "Lifecycle"
}

type retentionLine struct {
	Mode string `json:"mode"`
	Days int    `json:"days"`
}

// infoLine returns the settings of a bucket for JSON.
func infoLine(i *storage.BucketInfo) InfoLine {
	line := InfoLine{
		Name:       i.Name,
		Provider:   i.Provider,
		Region:     i.Region,
		Created:    i.Created,
		Public:     i.Public,
		Versioning: i.Versioning,
		ObjectLock: i.ObjectLock,
		CORS:       bucketrules.CORSLines(i.CORS),
		Lifecycle:  bucketrules.LifecycleLines(i.Lifecycle),
		DefaultRetention: retentionLine{
			Mode: string(i.DefaultRetention.Mode),
			Days: i.DefaultRetention.Days,
		},
		Unread: i.Unread,
	}
	if i.SoftDelete > 0 {
		line.SoftDelete = i.SoftDelete.String()
	}
	return line
}

// StatBucket requests the settings of a bucket from the store, and prints them.
func StatBucket(ctx context.Context, p *program.Program, l location.Location, asJSON bool) error {
	return p.Stores.UseService(ctx, l, func(s storage.Service, bucket string) error {
		info, err := s.BucketInfo(ctx, bucket)
		if info == nil {
			return err
		}
		// If the credentials may read only some settings, there is an error beside them.
		if err != nil {
			p.Note("omnibucket: not all settings may be read: %s", console.Printable(err.Error()))
		}
		if asJSON {
			return p.Out.JSON(infoLine(info))
		}
		return p.Out.Table(infoRows(info))
	})
}

// infoRows returns the settings of a bucket as rows of a table.
func infoRows(info *storage.BucketInfo) [][2]string {
	rows := [][2]string{
		{"bucket", info.Name},
		{"provider", info.Provider},
		{"region", info.Region},
		{"created", console.FormatTimeIfSet(info.Created)},
		{"public", boolText(info, "Public", info.Public)},
		{"versioning", boolText(info, "Versioning", info.Versioning)},
	}

	if info.ObjectLock {
		rows = append(rows, [2]string{"object lock", "true"})
	}
	if d := info.DefaultRetention; d.Days > 0 {
		rows = append(rows, [2]string{"default retention", fmt.Sprintf("%s for %d days", d.Mode, d.Days)})
	}
	if info.SoftDelete > 0 {
		rows = append(rows, [2]string{"soft delete", "for " + info.SoftDelete.String()})
	}

	for _, rule := range bucketrules.CORSLines(info.CORS) {
		rows = append(rows, [2]string{"cors", ruleText(rule)})
	}
	for _, rule := range bucketrules.LifecycleLines(info.Lifecycle) {
		rows = append(rows, [2]string{"lifecycle", ruleText(rule)})
	}

	if len(info.Unread) > 0 {
		rows = append(rows, [2]string{"unread", strings.Join(info.Unread, ", ")})
	}
	return rows
}

// boolText returns the value of a Boolean setting of a bucket, or "unknown" if it could not be read.
func boolText(info *storage.BucketInfo, field string, value bool) string {
	if slices.Contains(info.Unread, field) {
		return "unknown"
	}
	return strconv.FormatBool(value)
}

// ruleText returns a rule as JSON. The command bucket accepts an array of such rules.
func ruleText(rule any) string {
	text, _ := json.Marshal(rule) // never fails for the types of package bucketrules
	return string(text)
}
