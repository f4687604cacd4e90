package engine

import (
	"net"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

const (
	// clusterName is stored in the database; another name would not find its records again.
	clusterName = "active"

	// historyShards is stored in the database too. One is enough: SQLite has a single writer.
	historyShards = 1

	// queuePollsPerSecond bounds how often each of the server's internal queues looks at the
	// database.
	queuePollsPerSecond = 100

	// queueWorkers is how many tasks of each of these queues are done at once.
	queueWorkers = 32

	mainStore       = "main"
	visibilityStore = "visibility"
)

// serverOptions assembles the server: all four services, membership fixed to this process, no
// authorization, because only the operator reaches the loopback port.
func serverOptions(files databaseFiles, a addresses, logger log.Logger) []temporal.ServerOption {
	return []temporal.ServerOption{
		temporal.WithConfig(serverConfig(files, a)),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(map[primitives.ServiceName]static.Hosts{
			primitives.FrontendService: static.SingleLocalHost(a.frontendDial()),
			primitives.HistoryService:  static.SingleLocalHost(a.history.String()),
			primitives.MatchingService: static.SingleLocalHost(a.matching.String()),
			primitives.WorkerService:   static.SingleLocalHost(a.worker.String()),
		}),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }),
		temporal.WithDynamicConfigClient(dynamicConfig()),
	}
}

func serverConfig(files databaseFiles, a addresses) *config.Config {
	noArchive := config.ArchivalNamespaceDefaults{
		History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
		Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
	}
	return &config.Config{
		Global: config.Global{
			Membership: config.Membership{BroadcastAddress: loopback, MaxJoinDuration: 10 * time.Second},
		},
		Persistence: config.Persistence{
			NumHistoryShards: historyShards,
			DefaultStore:     mainStore,
			VisibilityStore:  visibilityStore,
			DataStores: map[string]config.DataStore{
				mainStore:       {SQL: sqlConfig(files.main)},
				visibilityStore: {SQL: sqlConfig(files.visibility)},
			},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: a.frontendDial()},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services: map[string]config.Service{
			string(primitives.FrontendService): service(a.frontend),
			string(primitives.HistoryService):  service(a.history),
			string(primitives.MatchingService): service(a.matching),
			string(primitives.WorkerService):   service(a.worker),
		},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: noArchive},
		PublicClient:      config.PublicClient{HostPort: a.frontendDial()},
	}
}

func service(a *net.TCPAddr) config.Service {
	return config.Service{RPC: config.RPC{BindOnIP: a.IP.String(), GRPCPort: a.Port}}
}

// dynamicConfig lists what differs from the server's defaults, which already allow eager starts,
// updates, batch operations and the pausing of activities.
func dynamicConfig() dynamicconfig.Client {
	return dynamicconfig.StaticClient{
		// One partition: with one process there is nothing to spread, and a backlog over four would
		// need more pollers.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,

		// A backlog is served key by key, so that a destination with many waiting deliveries does
		// not hold up the others.
		dynamicconfig.MatchingEnableFairness.Key(): true,

		// The defaults, 128000 workflows and 128 MiB of events, are meant for a server with a
		// machine of its own. The timer of a workflow task outlives the workflow by some 15 seconds
		// and finds it in this cache at up to 250 workflows a second.
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key():     4096,
		dynamicconfig.EventsHostLevelCacheMaxSizeBytes.Key(): 16 << 20,

		// How many workflows write at a time. With the default of one, no two would share a sync of
		// the disk.
		dynamicconfig.ShardIOConcurrency.Key(): 64,

		// The default of 10 list requests a second would throttle an operator's browser tabs and
		// the product's own lists.
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 200,

		dynamicconfig.WorkflowPauseEnabled.Key(): true,

		// With the default of one, an operator's batch operation would keep those of Courier waiting.
		dynamicconfig.FrontendMaxConcurrentBatchOperationPerNamespace.Key(): 20,

		// Timers that are due sooner than this are put off by it. The default of a second, which
		// covers clocks that differ between machines, would turn a wait of 200 ms into one of a
		// second.
		dynamicconfig.TimerProcessorMaxTimeShift.Key(): 10 * time.Millisecond,

		// Each timer that fires takes two looks at the database, and each task one. The default of
		// 20 looks a second delays them by up to a third of a second when there are more than a
		// few.
		dynamicconfig.TimerProcessorMaxPollRPS.Key():    queuePollsPerSecond,
		dynamicconfig.TransferProcessorMaxPollRPS.Key(): queuePollsPerSecond,

		// How many tasks of each queue are done at once. The defaults of 512 are meant for databases
		// that serve many at a time; here all wait in one line, and in an overload for so long that
		// nobody wants the answers any more.
		dynamicconfig.TransferProcessorSchedulerWorkerCount.Key():   queueWorkers,
		dynamicconfig.TimerProcessorSchedulerWorkerCount.Key():      queueWorkers,
		dynamicconfig.VisibilityProcessorSchedulerWorkerCount.Key(): queueWorkers,

		// Payloads kept outside of Temporal, which there are none of, would be looked for in every
		// event.
		dynamicconfig.ExternalPayloadsEnabled.Key(): false,

		// This would report the server's version to its makers once a day.
		dynamicconfig.EnableServerVersionCheck.Key(): false,
	}
}
