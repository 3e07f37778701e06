package iceberg_test

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	lake "github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog/hadoop"
	"github.com/apache/iceberg-go/table"

	"github.com/omnibucket/storage/adapters/iceberg"
	"github.com/omnibucket/storage/memstore"
)

// The bucket has the files of a table, and also the catalog. Any other catalog of iceberg-go works in the same way.
func ExampleRegister() {
	ctx := context.Background()
	bucket := memstore.New() // production: storage.Open(ctx, "s3://lake?region=eu-west-1")
	if err := iceberg.Register("s3://example", bucket); err != nil {
		panic(err)
	}
	defer iceberg.Unregister("s3://example")
	catalog, err := hadoop.NewCatalog("example", "s3://example/warehouse", lake.Properties{"allow-unsafe-commits": "true"})
	if err != nil {
		panic(err)
	}
	defer catalog.Close()
	if err := catalog.CreateNamespace(ctx, table.Identifier{"travel"}, nil); err != nil {
		panic(err)
	}
	trips, err := catalog.CreateTable(ctx, table.Identifier{"travel", "trips"}, lake.NewSchema(0,
		lake.NestedField{ID: 1, Name: "city", Type: lake.PrimitiveTypes.String}))
	if err != nil {
		panic(err)
	}
	rows, err := array.TableFromJSON(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "city", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil), []string{`[{"city": "Oslo"}, {"city": "Lima"}]`})
	if err != nil {
		panic(err)
	}
	defer rows.Release()
	trips, err = trips.AppendTable(ctx, rows, rows.NumRows(), nil)
	if err != nil {
		panic(err)
	}
	result, err := trips.Scan(table.WithRowFilter(lake.EqualTo(lake.Reference("city"), "Lima"))).ToArrowTable(ctx)
	if err != nil {
		panic(err)
	}
	defer result.Release()
	fmt.Println(result.NumRows(), trips.Location())
	// Output: 1 s3://example/warehouse/travel/trips
}
