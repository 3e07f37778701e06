package sqlrecords

import (
	"context"
	"strings"

	"github.com/omnibucket/storage/files"
)

func (r *records) List(ctx context.Context, f files.ListFilter, after string, limit int) ([]*files.Record, string, error) {
	where, values := r.dialect.matching(f)
	found, err := query(ctx, r, "List", columns, where, append([]any{after}, values...), limit, scan)
	page, last := cut(found, limit)
	if last == nil {
		return page, "", err
	}
	return page, (*last).ID, err
}

func (r *records) IDs(ctx context.Context, after string, limit int) ([]string, string, error) {
	found, err := query(ctx, r, "IDs", "id", "", []any{after}, limit, func(from row) (id string, err error) {
		return id, from.Scan(&id)
	})
	page, last := cut(found, limit)
	if last == nil {
		return page, "", err
	}
	return page, *last, err
}

// query reads a page, and one more row if there is one. The first of values is the ID
// after which it starts.
func query[T any](ctx context.Context, r *records, op, columns, where string, values []any, limit int, scan func(row) (T, error)) ([]T, error) {
	statement := "SELECT " + columns + " FROM omnibucket_files WHERE id > ?" + where + " ORDER BY id LIMIT ?"
	rows, err := r.db.QueryContext(ctx, r.dialect.bind(statement), append(values, limit+1)...)
	if err != nil {
		return nil, readError(ctx, op, err)
	}
	defer func() { _ = rows.Close() }()
	var page []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, readError(ctx, op, err)
		}
		page = append(page, one)
	}
	if err := rows.Err(); err != nil {
		return nil, readError(ctx, op, err)
	}
	return page, nil
}

// cut removes the extra row. last is where the next page continues; nil: there is no
// next page.
func cut[T any](found []T, limit int) (page []T, last *T) {
	if len(found) <= limit {
		return found, nil
	}
	return found[:limit], &found[limit-1]
}

// matching returns [files.ListFilter.Matches] in SQL.
func (d Dialect) matching(f files.ListFilter) (where string, values []any) {
	var b strings.Builder
	and := func(condition string, value any) {
		b.WriteString(" AND " + condition)
		values = append(values, value)
	}
	if f.Purpose != "" {
		and("purpose = ?", f.Purpose)
	}
	if f.UploadedBy != "" {
		and("uploaded_by = ?", f.UploadedBy)
	}
	if !f.From.IsZero() {
		and("created >= ?", d.bound(f.From))
	}
	if !f.To.IsZero() {
		and("created < ?", d.bound(f.To))
	}
	return b.String(), values
}
