package deliveries

import (
	"bytes"
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/mocks"
	"google.golang.org/grpc"
)

// operator is an operator service that has these search attributes, and adds others unless it
// refuses.
type operator struct {
	operatorservice.OperatorServiceClient
	has    map[string]enumspb.IndexedValueType
	refuse error
	added  map[string]enumspb.IndexedValueType
}

func (o *operator) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest, ...grpc.CallOption) (*operatorservice.ListSearchAttributesResponse, error) {
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: o.has}, nil
}

func (o *operator) AddSearchAttributes(_ context.Context, request *operatorservice.AddSearchAttributesRequest, _ ...grpc.CallOption) (*operatorservice.AddSearchAttributesResponse, error) {
	o.added = request.GetSearchAttributes()
	return &operatorservice.AddSearchAttributesResponse{}, o.refuse
}

const keyword = enumspb.INDEXED_VALUE_TYPE_KEYWORD

func TestPrepareRegistersTheSearchAttributesThatAreMissing(t *testing.T) {
	t.Parallel()
	n, log := newTestNamespace(t, &operator{has: map[string]enumspb.IndexedValueType{
		"WebhookDestination": keyword, "GitBookEventType": keyword, "GitBookSpace": keyword, "GitBookSite": keyword,
	}})
	require.NoError(t, n.Prepare(t.Context()))
	added := n.client.OperatorService().(*operator).added
	require.Equal(t, map[string]enumspb.IndexedValueType{"GitBookInstallation": keyword, "WebhookRedelivery": keyword, "WebhookState": keyword}, added)
	require.Empty(t, log.String())
}

func TestPrepareSaysTheCommandWhenItMayNotRegister(t *testing.T) {
	t.Parallel()
	n, log := newTestNamespace(t, &operator{refuse: serviceerror.NewPermissionDenied("no", "")})
	require.NoError(t, n.Prepare(t.Context()))
	require.Contains(t, log.String(), `command="temporal operator search-attribute create --namespace prod`+
		` --name WebhookDestination --type Keyword --name GitBookEventType --type Keyword --name GitBookInstallation --type Keyword`+
		` --name GitBookSpace --type Keyword --name GitBookSite --type Keyword --name WebhookRedelivery --type Keyword --name WebhookState --type Keyword"`)
}

func TestPrepareNamesTheCommandForANamespaceThatIsMissing(t *testing.T) {
	t.Parallel()
	n, _ := newTestNamespace(t, &operator{refuse: serviceerror.NewNamespaceNotFound("prod")})
	require.EqualError(t, n.Prepare(t.Context()), `namespace "prod" does not exist; create it: temporal operator namespace create --namespace prod`)
}

func newTestNamespace(t *testing.T, o *operator) (*Namespace, *bytes.Buffer) {
	t.Helper()
	temporal := &mocks.Client{}
	temporal.On("CheckHealth", mock.Anything, mock.Anything).Return(&client.CheckHealthResponse{}, nil)
	temporal.On("CountWorkflow", mock.Anything, mock.Anything).Return(&workflowservice.CountWorkflowExecutionsResponse{}, nil)
	temporal.On("OperatorService").Return(o)
	var log bytes.Buffer
	return NewNamespace(temporal, "prod", slog.New(slog.NewTextHandler(&log, nil))), &log
}
