package agents

import (
	"context"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/omnibucket/storage"
)

const (
	defaultPage = 100
	maxPage     = 1000
	// maxListed limits the total size of the keys in one page, in bytes. Without it, the keys of a
	// page could have 1 MiB.
	maxListed = 128 << 10
	maxCursor = 16 << 10
)

type listIn struct {
	Prefix    string `json:"prefix,omitempty" jsonschema:"list only keys that begin so, such as reports/2026/"`
	Recursive bool   `json:"recursive,omitempty" jsonschema:"list all keys below instead of one level"`
	Limit     int    `json:"limit,omitempty" jsonschema:"entries in one page, at most 1000; the default is 100"`
	Cursor    string `json:"cursor,omitempty" jsonschema:"nextCursor of the page before; repeat its prefix"`
}

type listOut struct {
	Folders    []string `json:"folders" jsonschema:"prefixes, which end in a slash"`
	Objects    []listed `json:"objects"`
	NextCursor string   `json:"nextCursor,omitempty" jsonschema:"cursor of the next page; absent on the last page"`
}

// A listed is an object in a page of the tool list.
type listed struct {
	Key      string    `json:"key"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified,omitzero"`
}

// addList offers the tool that lists objects and folders.
func (s *server) addList(b storage.Lister) {
	add(s, &mcp.Tool{
		Name:        toolList,
		Annotations: annotations("List objects", effects{readOnly: true, idempotent: true}),
		Description: "Lists objects and folders, one level or with recursive everything below a prefix, a page at a " +
			"time. " + untrusted,
	}, func(ctx context.Context, args listIn) (*mcp.CallToolResult, listOut, error) {
		if args.Limit < 0 || args.Limit > maxPage {
			return nil, listOut{}, refusal("limit must be from 1 to 1000")
		}
		size := args.Limit
		if size == 0 {
			size = defaultPage
		}

		if len(args.Cursor) > maxCursor {
			return nil, listOut{}, refusal(foreignCursor)
		}
		// With "-" added, a prefix is refused only if no key can begin with it: "." is accepted, because
		// of keys such as ".a", but "./" is not.
		if err := checkKey("prefix", args.Prefix+"-"); err != nil {
			return nil, listOut{}, err
		}

		page, err := pageOf(ctx, b, args, size)
		if err != nil {
			if args.Cursor != "" && storage.CodeOf(err) == storage.InvalidArgument {
				// The other arguments are valid, so it is the cursor.
				err = refusal(foreignCursor)
			}
			return nil, listOut{}, err
		}
		return nil, listing(page), nil
	})
}

const foreignCursor = "cursor must be the nextCursor of a page with the same prefix and recursive"

// pageOf lists a page whose keys have at most maxListed bytes in total, or one entry if its key is
// longer.
func pageOf(ctx context.Context, b storage.Lister, args listIn, size int) (*storage.Page, error) {
	opts := []storage.ListOption{storage.WithPrefix(args.Prefix)}
	if !args.Recursive {
		opts = append(opts, storage.WithDelimiter("/"))
	}

	for {
		page, err := storage.ListPage(ctx, b, args.Cursor, append(opts, storage.WithPageSize(size))...)
		if err != nil {
			return nil, err
		}
		keyBytes := 0
		for _, entry := range page.Entries {
			keyBytes += len(entry.Key)
		}
		if keyBytes <= maxListed || size == 1 {
			return page, nil
		}

		// Half as many entries as would fit on average probably fit, although keys differ in length.
		fittingOnAverage := size * maxListed / keyBytes
		size = max(1, fittingOnAverage/2)
	}
}

// listing converts a page to the result of the tool list.
func listing(page *storage.Page) listOut {
	// An empty list is [] in JSON, but a nil slice would be null.
	output := listOut{Folders: []string{}, Objects: []listed{}, NextCursor: page.Token}
	for _, entry := range page.Entries {
		if entry.IsPrefix {
			output.Folders = append(output.Folders, entry.Key)
		} else {
			output.Objects = append(output.Objects, listed{Key: entry.Key, Size: entry.Size, Modified: entry.Modified})
		}
	}
	return output
}
