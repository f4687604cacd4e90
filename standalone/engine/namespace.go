package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/resolver"
	"go.temporal.io/server/common/searchattribute/sadefs"
	"google.golang.org/protobuf/types/known/durationpb"
)

// ensureNamespace creates the namespace, or adds the search attributes that it lacks. It writes to
// the database of a server that does not run, so the server finds everything in place when it
// starts and no cache has to notice a change. It returns the pre-allocated fields that carry search
// attributes.
func ensureNamespace(ctx context.Context, cfg *config.SQL, o Options) (fields map[string]bool, err error) {
	serializer := serialization.NewSerializer()
	factory := sql.NewFactory(*cfg, resolver.NewNoopResolver(), clusterName, log.NewNoopLogger(), metrics.NoopMetricsHandler, serializer)
	defer factory.Close()
	store, err := factory.NewMetadataStore()
	if err != nil {
		return nil, err
	}
	namespaces := persistence.NewMetadataManagerImpl(store, serializer, log.NewNoopLogger(), clusterName)
	defer namespaces.Close()

	var aliases map[string]string
	got, err := namespaces.GetNamespace(ctx, &persistence.GetNamespaceRequest{Name: o.Namespace})
	_, notFound := errors.AsType[*serviceerror.NamespaceNotFound](err)
	switch {
	case notFound:
		if aliases, _, err = addAliases(nil, o.SearchAttributes); err != nil {
			return nil, err
		}
		_, err = namespaces.CreateNamespace(ctx, &persistence.CreateNamespaceRequest{Namespace: newNamespace(o, aliases)})
	case err == nil:
		var changed bool
		aliases, changed, err = addAliases(got.Namespace.Config.CustomSearchAttributeAliases, o.SearchAttributes)
		if err == nil && changed {
			err = updateAliases(ctx, namespaces, got, aliases)
		}
	}
	if err != nil {
		return nil, err
	}
	fields = make(map[string]bool, len(aliases))
	for field := range aliases {
		fields[field] = true
	}
	return fields, nil
}

func newNamespace(o Options, aliases map[string]string) *persistencespb.NamespaceDetail {
	return &persistencespb.NamespaceDetail{
		Info: &persistencespb.NamespaceInfo{
			Id:    uuid.NewString(),
			Name:  o.Namespace,
			State: enumspb.NAMESPACE_STATE_REGISTERED,
		},
		Config: &persistencespb.NamespaceConfig{
			Retention:                    durationpb.New(o.Retention),
			HistoryArchivalState:         enumspb.ARCHIVAL_STATE_DISABLED,
			VisibilityArchivalState:      enumspb.ARCHIVAL_STATE_DISABLED,
			CustomSearchAttributeAliases: aliases,
		},
		ReplicationConfig: &persistencespb.NamespaceReplicationConfig{
			ActiveClusterName: clusterName,
			Clusters:          []string{clusterName},
		},
		FailoverNotificationVersion: -1, // A namespace of one cluster never fails over.
	}
}

func updateAliases(ctx context.Context, namespaces persistence.MetadataManager, got *persistence.GetNamespaceResponse, aliases map[string]string) error {
	metadata, err := namespaces.GetMetadata(ctx)
	if err != nil {
		return err
	}
	got.Namespace.Config.CustomSearchAttributeAliases = aliases
	got.Namespace.ConfigVersion++
	return namespaces.UpdateNamespace(ctx, &persistence.UpdateNamespaceRequest{
		Namespace:           got.Namespace,
		IsGlobalNamespace:   got.IsGlobalNamespace,
		NotificationVersion: metadata.NotificationVersion,
	})
}

// addAliases gives each wanted attribute that has no field yet the first free one of its type. SQL
// visibility has a fixed number of columns for custom attributes, Keyword01 and so on; an attribute
// is an alias of one of them.
func addAliases(present map[string]string, wanted map[string]enumspb.IndexedValueType) (aliases map[string]string, changed bool, err error) {
	types := sadefs.GetDBIndexSearchAttributes(nil).CustomSearchAttributes
	aliases = make(map[string]string, len(present)+len(wanted))
	fieldOf := make(map[string]string, len(present))
	for field, alias := range present {
		aliases[field] = alias
		fieldOf[alias] = field
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		valueType := wanted[name]
		if field, ok := fieldOf[name]; ok {
			if types[field] != valueType {
				return nil, false, fmt.Errorf("search attribute %s exists with type %s, wanted is %s", name, types[field], valueType)
			}
			continue
		}
		field, ok := freeField(types, aliases, valueType)
		if !ok {
			return nil, false, fmt.Errorf("search attribute %s: every field of type %s is in use; remove a custom search attribute", name, valueType)
		}
		aliases[field] = name
		changed = true
	}
	return aliases, changed, nil
}

func freeField(types map[string]enumspb.IndexedValueType, aliases map[string]string, valueType enumspb.IndexedValueType) (string, bool) {
	for _, field := range slices.Sorted(maps.Keys(types)) {
		if _, used := aliases[field]; types[field] == valueType && !used {
			return field, true
		}
	}
	return "", false
}
